"""How well a model folder tells which sentence belongs to which picture."""

import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import open_clip
import torch
from scipy.optimize import linear_sum_assignment

from pipelines.demo.scenes import ScenePool
from pipelines.demo.sentences import aside, describe
from pipelines.demo.tiny_clip.pictures import render_stored

NUM_IMAGES = 5
NUM_SENTENCES = 10
"""Of one document; the surplus ones describe scenes that no picture shows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelFigures:
    """Measured on documents of NUM_IMAGES pictures and NUM_SENTENCES sentences; scores are cosines."""

    num_documents: int
    assigned: float
    """Share of pictures that linear assignment gives their own sentence."""
    own_mean: float
    """Mean score of a picture with its own sentence."""
    own_p01: float
    """1st percentile of the same."""
    other_mean: float
    """Mean score of a picture with the sentences of other scenes."""
    other_p95: float
    """95th percentile of the same."""
    aside_p95: float
    """95th percentile of a picture with sentences that describe nothing."""
    stray_best_mean: float
    """Mean of the best score that a picture reaches among NUM_SENTENCES - NUM_IMAGES sentences of other scenes."""


def measure_model(folder: Path, *, num_documents: int, seed: int) -> ModelFigures:
    """Load ``folder`` through open_clip and score pictures that no training run has seen.

    Args:
        folder: Holds open_clip_config.json and open_clip_model.safetensors.
        num_documents: Of NUM_IMAGES pictures each.
        seed: Of the scenes and the sentences; the training script never uses those of this function.
    """
    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    tokenize = open_clip.get_tokenizer(f"local-dir:{folder}")
    model.eval()
    rng = random.Random(f"measure/{seed}")
    own, other, stray, asides, num_right = [], [], [], [], 0
    for _ in range(num_documents):
        pool = ScenePool()
        scenes = [pool.sample(rng) for _ in range(NUM_SENTENCES)]
        texts = [describe(scene, rng) for scene in scenes] + [aside(rng) for _ in range(NUM_IMAGES)]
        pictures = torch.stack([preprocess(render_stored(scene, rng)) for scene in scenes[:NUM_IMAGES]])
        with torch.no_grad():
            images_nd = model.encode_image(pictures, normalize=True)
            texts_nd = model.encode_text(tokenize(texts), normalize=True)
        scores = (images_nd @ texts_nd.T).numpy()
        rows, columns = linear_sum_assignment(-scores[:, :NUM_SENTENCES])
        num_right += int((rows == columns).sum())
        own.append(np.diag(scores))
        other.append(scores[:, :NUM_SENTENCES][~np.eye(NUM_IMAGES, NUM_SENTENCES, dtype=bool)])
        stray.append(scores[:, NUM_IMAGES:NUM_SENTENCES].max(axis=1))
        asides.append(scores[:, NUM_SENTENCES:].ravel())
    return ModelFigures(
        num_documents=num_documents,
        assigned=num_right / (num_documents * NUM_IMAGES),
        own_mean=float(np.mean(own)),
        own_p01=float(np.percentile(own, 1)),
        other_mean=float(np.mean(other)),
        other_p95=float(np.percentile(other, 95)),
        aside_p95=float(np.percentile(asides, 95)),
        stray_best_mean=float(np.mean(stray)),
    )
