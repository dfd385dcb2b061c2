"""Train the demo's CLIP model: ``python -m pipelines.demo.tiny_clip.train [--out DIR]``.

About 4 million parameters, most of them the vocabulary of open_clip's own tokenizer. The result is a folder that
``open_clip.create_model_and_transforms("local-dir:<folder>")`` loads like any other model.
"""

import argparse
import json
import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import open_clip
import torch
from open_clip.model import CLIP
from safetensors.torch import save_file
from torch.nn import functional

from curate.measure.tiny_clip import model_dir
from pipelines.demo.sentences import aside
from pipelines.demo.tiny_clip.card import write_card
from pipelines.demo.tiny_clip.measure import measure_model
from pipelines.demo.tiny_clip.pictures import IMAGE_PX, Pictures, render_pictures, training_text

CONTEXT_LENGTH = 32
MAX_LOGIT_SCALE = 4.6
"""ln 100, as in CLIP (Radford et al. 2021, section 2.5)."""
HELD_OUT_DOCUMENTS = 400
MODEL_CONFIG: dict[str, Any] = {
    "embed_dim": 64,
    "vision_cfg": {"image_size": IMAGE_PX, "layers": 4, "width": 128, "patch_size": 8, "head_width": 32},
    "text_cfg": {"context_length": CONTEXT_LENGTH, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 3},
}
# Squashing keeps what stands at the edge of a picture that is not square; a centre crop would cut it off.
PREPROCESS_CONFIG: dict[str, Any] = {
    "mean": [0.5, 0.5, 0.5],
    "std": [0.5, 0.5, 0.5],
    "interpolation": "bicubic",
    "resize_mode": "squash",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainOptions:
    """Of one training run."""

    num_pictures: int = 16_000
    num_steps: int = 800
    batch_size: int = 256
    num_asides: int = 64
    """Sentences without a picture, added to each batch: they must score low with all of them."""
    learning_rate: float = 2e-3
    """Peak of a one-cycle schedule."""
    weight_decay: float = 0.05
    num_threads: int = 2
    seed: int = 0


def train_model(options: TrainOptions) -> CLIP:
    """Return a trained model on the CPU; the same options and thread count give the same weights."""
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.num_threads)
    rng = random.Random(f"train/{options.seed}")
    pictures = render_pictures(options.num_pictures, rng)
    model = CLIP(**MODEL_CONFIG)
    tokenize = open_clip.SimpleTokenizer(context_length=CONTEXT_LENGTH)
    optimiser = torch.optim.AdamW(model.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, options.learning_rate, total_steps=options.num_steps, pct_start=0.1
    )
    started_s = time.monotonic()
    for step in range(options.num_steps):
        loss = _loss(model, pictures, rng, options=options, tokenize=tokenize)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, MAX_LOGIT_SCALE)
        if step % 50 == 0 or step == options.num_steps - 1:
            sys.stderr.write(f"step {step}: loss {loss.item():.4f}, {time.monotonic() - started_s:.0f} s\n")
    return model.eval()


def save_model(model: CLIP, folder: Path) -> None:
    """Write the two files that open_clip reads; weights are float16."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {"model_cfg": MODEL_CONFIG, "preprocess_cfg": PREPROCESS_CONFIG}
    (folder / "open_clip_config.json").write_text(json.dumps(config, indent=2) + "\n")
    weights = {name: tensor.detach().half().contiguous() for name, tensor in model.state_dict().items()}
    save_file(weights, folder / "open_clip_model.safetensors")


def main() -> None:
    """Train, save, measure the saved folder and write the model card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=model_dir(), help="folder to write")
    parser.add_argument("--steps", type=int, default=TrainOptions().num_steps, help="optimiser steps")
    arguments = parser.parse_args()
    options = TrainOptions(num_steps=arguments.steps)
    model = train_model(options)
    save_model(model, arguments.out)
    figures = measure_model(arguments.out, num_documents=HELD_OUT_DOCUMENTS, seed=1)
    num_parameters = sum(parameter.numel() for parameter in model.parameters())
    write_card(arguments.out, figures, options_text=str(options), num_parameters=num_parameters)
    sys.stdout.write(f"{figures}\n")


def _loss(
    model: CLIP, pictures: Pictures, rng: random.Random, *, options: TrainOptions, tokenize: open_clip.SimpleTokenizer
) -> torch.Tensor:
    """Return the symmetric contrastive loss of one batch (CLIP, figure 3); asides count as wrong texts only."""
    rows = [rng.randrange(len(pictures.scenes)) for _ in range(options.batch_size)]
    images = torch.from_numpy(pictures.pixels[rows]).permute(0, 3, 1, 2).float() / 127.5 - 1
    texts = [training_text(pictures.scenes[row], rng) for row in rows] + [aside(rng) for _ in range(options.num_asides)]
    images_nd = model.encode_image(images, normalize=True)
    texts_md = model.encode_text(tokenize(texts), normalize=True)
    logits_nm = model.logit_scale.exp() * images_nd @ texts_md.T
    own = torch.arange(options.batch_size)
    to_text = functional.cross_entropy(logits_nm, own)
    to_image = functional.cross_entropy(logits_nm[:, : options.batch_size].T, own)
    return (to_text + to_image) / 2


if __name__ == "__main__":
    main()
