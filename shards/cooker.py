"""Turns our samples into dataclasses for a training job on Megatron Energon, which must be installed.

A shard set is a crude dataset to Energon: it needs a cooker, and this is one::

    class Task(DefaultTaskEncoder):
        cookers = [Cooker(cook_interleaved)]

    dataset = get_train_dataset("path/to/set", task_encoder=Task(), batch_size=1, ...)

No other module of this project imports this one.
"""

import importlib
import json
from typing import Any

from shards.sample import IMAGE_EXTENSION, JSON_PART, image_part

energon: Any = importlib.import_module("megatron.energon")  # by name: it is no dependency, and has no types to check


@energon.edataclass
class InterleavedSample(energon.Sample):  # type: ignore[misc]  # a class known at run time only
    """A document in natural order."""

    record: dict[str, Any]
    """``KEY.json``: see ``shards.sample``."""
    images: list[Any]
    """Of the record's image items, in their order: bytes where the task's decoder is None, else what it made."""


@energon.stateless  # type: ignore[untyped-decorator]
def cook_interleaved(sample: dict[str, Any]) -> InterleavedSample:
    """Return a crude sample as an ``InterleavedSample``; keys that Energon needs to restore it are passed on."""
    raw = sample[JSON_PART]
    record = json.loads(raw) if isinstance(raw, bytes | str) else raw
    num_images = sum(name.endswith(f".{IMAGE_EXTENSION}") for name in sample)
    return InterleavedSample(
        **energon.basic_sample_keys(sample),
        record=record,
        images=[sample[image_part(number)] for number in range(num_images)],
    )
