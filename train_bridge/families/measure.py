"""Assembles a tiny model of a family, packs samples, saves and loads it, and says what held.

Weights are large and none is zero or one, so that a scale, a cap or a bias that is lost shows. What is compared with
the causal language model is compared in fp32, to a ten-thousandth.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch.nn import functional
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedConfig,
    PreTrainedModel,
)

from curate.contract.errors import CurateError
from train_bridge.checkpoints.targets import VLLM_TOWERS
from train_bridge.config import StageConfig
from train_bridge.data.collate import Batch, CollateSettings, collate
from train_bridge.data.samples import LoadedSample
from train_bridge.families.language import Language
from train_bridge.families.vision import Vision
from train_bridge.model.attention import set_attention
from train_bridge.model.image_modes import image_form
from train_bridge.model.images import normalise
from train_bridge.model.llava import build_model, set_trainable
from train_bridge.model.mask import Attention
from train_bridge.model.processor import build_processor, tokens_per_image
from train_bridge.model.tiny_model import train_tokenizer
from train_bridge.model_config import Module
from train_bridge.packing.cursor import Cursor
from train_bridge.packing.draw import SAMPLE
from train_bridge.packing.plan import Pack
from train_bridge.tokens.encoder import IGNORED
from train_bridge.training.export import export_model
from train_bridge.training.ranks import Ranks
from train_bridge.training.step import token_losses

VOCAB_SIZE = 256
"""Of the language model; the tokenizer has a few more, so that rows are added."""
TOLERANCE = 1e-4
"""Of what is equal, as a share of the largest."""
TEXTS = (21, 9)
"""Tokens of the samples without an image, longer than a window."""
FORMS: tuple[Attention, ...] = ("mask", "segments")
"""Of attention, those that a CPU runs at once."""
YES, NO, UNTRIED, NOT_FLEX = "yes", "no", "-", "not with flex"
VLLM_PREFIX = "language_model."
"""vLLM's LLaVA hands what follows it in a folder's names to the language model's own loader."""
VLLM_SCALES_IMAGES = ("gemma", "gemma2")
"""Types of language models in which vLLM scales embeddings behind the table, images too (its ``gemma.py``)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What held: ``yes``, ``no``, or ``-`` where it could not be tried."""

    assembles: str
    """With ``own class`` where plain ``LlavaForConditionalGeneration`` would not do."""
    logits: str = UNTRIED
    """Whether logits of text are those of the causal language model."""
    packed: str = UNTRIED
    """Whether the losses of packed samples are those of each alone, in every form of attention that runs on a CPU."""
    exports: str = UNTRIED
    """Whether a saved folder loads with transformers alone and gives the same logits."""
    serves: str = UNTRIED
    """Whether, as far as its code says, vLLM's LLaVA builds the same, and its loaders get the names that they know."""
    refused: str = ""
    """Why it does not assemble."""
    tokens: int = 0
    """Per image."""
    gradients: str = UNTRIED
    """Whether those parameters of the tower get a gradient that are said to be used, and no others."""


def measure_language(
    row: Language, *, tower: Vision, folder: Path, ranks: Ranks, forms: Sequence[Attention] = FORMS
) -> Found:
    """Measure a family of language models behind a tower.

    Args:
        row: The family.
        tower: What it sees through.
        folder: For its files; empty.
        ranks: Of one process.
        forms: Of attention, in which packs are compared.
    """
    with _one_thread():
        return _measure(row.config(vocab_size=VOCAB_SIZE), tower, folder=folder, ranks=ranks, forms=forms)


def measure_vision(row: Vision, *, language: Language, folder: Path, ranks: Ranks) -> Found:
    """Measure a family of vision towers before a language model; see ``measure_language``."""
    return measure_language(language, tower=row, folder=folder, ranks=ranks)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute in one thread: of models as small as these, several would only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _measure(text: PreTrainedConfig, tower: Vision, *, folder: Path, ranks: Ranks, forms: Sequence[Attention]) -> Found:
    causal = _save_parts(text, tower, folder)
    stage = {
        "output": str(folder),
        "model": {"vision": str(folder / "vision"), "llm": str(folder / "llm"), "projector": "mlp"},
        "data": {"shards": str(folder)},
        "pack": {"seq_length": 128},
        "optim": {"lr": 1e-3, "global_batch": 1},
    }
    config = StageConfig.model_validate(stage)
    try:
        processor = build_processor(config)
        model = build_model(config, processor=processor)
    except CurateError as error:
        # Folders and figures differ from machine to machine.
        return Found(assembles=NO, refused=re.sub(r" \(up to [^)]*\)", "", str(error)).replace(f"{folder}/", ""))
    text_alone = _batch([_sample(processor, TEXTS[0], images=0)], processor)
    image = _batch([_sample(processor, 8, images=2)], processor)
    fold = folder / "final"
    export_model(str(fold), model=model, processor=processor, ranks=ranks)
    is_plain = type(model) is LlavaForConditionalGeneration
    loaded = AutoModelForImageTextToText.from_pretrained(fold, trust_remote_code=not is_plain).eval()
    is_built = is_plain and tower.config().model_type in VLLM_TOWERS and text.model_type not in VLLM_SCALES_IMAGES
    fits = is_built and _served_names(fold) == _names(folder / "llm")
    return Found(
        assembles=YES if is_plain else "own class",
        logits=_same(_logits(model, text_alone)[:, :VOCAB_SIZE], _logits(causal, text_alone)),
        packed=_packs_alike(model, processor, forms),
        exports=_same(_logits(loaded, image, processor), _logits(model, image, processor)),
        serves=YES if fits else NO,
        tokens=tokens_per_image(processor),
        gradients=_used_alone(model, image, processor),
    )


def _save_parts(text: PreTrainedConfig, tower: Vision, folder: Path) -> PreTrainedModel:
    """Save a language model and a tower as a hub has them; return the first."""
    torch.manual_seed(0)
    causal, vision = AutoModelForCausalLM.from_config(text), AutoModel.from_config(tower.config())
    with torch.no_grad():
        for parameter in [*causal.parameters(), *vision.parameters()]:
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    causal.eval().save_pretrained(folder / "llm")
    train_tokenizer([], vocab_size=300).save_pretrained(folder / "llm")
    vision.save_pretrained(folder / "vision")
    tower.image_processor.save_pretrained(folder / "vision")
    return causal


def _sample(processor: LlavaProcessor, length: int, *, images: int) -> LoadedSample:
    """Return a sample of random tokens behind its images."""
    random = np.random.default_rng(length)
    form = image_form(processor.image_processor)
    num_places = images * tokens_per_image(processor)
    words_l = random.integers(4, VOCAB_SIZE, length)
    marks_l = np.full(num_places, processor.image_token_id)
    return LoadedSample(
        ids=np.concatenate([marks_l, words_l]),
        labels=np.concatenate([np.full(num_places + 1, IGNORED), words_l[1:]]),
        pixels=[random.integers(0, 256, (3, form.height, form.width), dtype=np.uint8) for _ in range(images)],
        group=0,
    )


def _batch(samples: Sequence[LoadedSample], processor: LlavaProcessor) -> Batch:
    settings = CollateSettings(
        form=image_form(processor.image_processor),
        image_token_id=processor.image_token_id,
        pad_id=processor.tokenizer.pad_token_id,
        tokens_per_image=tokens_per_image(processor),
        always_image=False,
    )
    pack = Pack(number=0, table=np.empty(0, dtype=SAMPLE), num_tokens=0, num_images=0, window=Cursor())
    return collate([(pack, list(samples))], settings=settings)


@torch.no_grad()
def _logits(model: PreTrainedModel, batch: Batch, processor: LlavaProcessor | None = None) -> torch.Tensor:
    """Return the logits [L, V] of a batch of one sample."""
    pixels = {}
    if processor is not None and len(batch.pixel_values):
        pixels["pixel_values"] = normalise(batch.pixel_values, form=image_form(processor.image_processor))
    return torch.as_tensor(model(input_ids=batch.input_ids, use_cache=False, **pixels).logits[0])


@torch.no_grad()
def _packs_alike(model: LlavaForConditionalGeneration, processor: LlavaProcessor, forms: Sequence[Attention]) -> str:
    """Compare the losses of a pack with those of its samples alone, as plain transformers has them."""
    first, last = (_sample(processor, length, images=0) for length in TEXTS)
    samples = [first, _sample(processor, 8, images=2), last]
    alone = [_losses(_logits(model, _batch([sample], processor), processor), sample) for sample in samples]
    pack, form = _batch(samples, processor), image_form(processor.image_processor)
    held = set()
    for attention in forms:
        set_attention(model, attention)
        losses_bk, has_label_bk, _ = token_losses(model, pack, form=form, attention=attention)
        held.add(_same(losses_bk[has_label_bk], torch.cat(alone)))
    try:
        set_attention(model, "flex")  # whose kernels take seconds to compile on a CPU: a test runs a few
    except CurateError:
        held.add(NOT_FLEX)
    set_attention(model, "mask")
    return NO if NO in held else ", ".join(sorted(held, reverse=True))


def _losses(logits_lv: torch.Tensor, sample: LoadedSample) -> torch.Tensor:
    labels_l = torch.from_numpy(sample.labels)[1:]
    losses_l = functional.cross_entropy(logits_lv[:-1], labels_l, reduction="none")
    return losses_l[labels_l != IGNORED]


def _same(found: torch.Tensor, wanted: torch.Tensor) -> str:
    return YES if bool((found - wanted).abs().max() <= TOLERANCE * wanted.abs().max()) else NO


def _used_alone(model: LlavaForConditionalGeneration, image: Batch, processor: LlavaProcessor) -> str:
    """Send a gradient into the tower, all of it thawed, and see whom it reaches."""
    learning = set(set_trainable(model, {Module.VISION}))
    for name, parameter in model.named_parameters():
        parameter.requires_grad_("vision_tower" in name)
    losses_bk, _, _ = token_losses(model, image, form=image_form(processor.image_processor))
    torch.autograd.backward(losses_bk.sum())
    reached = {name for name, one in model.named_parameters() if one.grad is not None and one.grad.abs().max() > 0}
    return YES if reached == learning else NO


def _served_names(folder: Path) -> set[str]:
    """Return what vLLM's LLaVA hands to the loader of the language model."""
    return {name.removeprefix(VLLM_PREFIX) for name in _names(folder) if name.startswith(VLLM_PREFIX)}


def _names(folder: Path) -> set[str]:
    return {name for file in folder.glob("*.safetensors") for name in load_file(file)}
