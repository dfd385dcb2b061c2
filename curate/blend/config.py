"""The ``blend:`` section of a recipe."""

import math
import re
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

Unit = Literal["samples", "images", "tokens"]

_SUFFIXES = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}


def parse_total(value: object) -> object:
    """Turn ``1B``, ``2.5M`` or ``10_000`` into a number and ``max`` into None; leave the rest to pydantic.

    Raises:
        ValueError: A string of another form, or one that is no whole number.
    """
    if not isinstance(value, str):
        return value
    if value.strip().lower() == "max":
        return None
    match = re.fullmatch(r"(\d[\d_]*)(?:\.(\d+))?\s*([kKmMbBtT]?)", value.strip())
    if match is None:
        raise ValueError("must be a whole number, one with K, M, B or T behind it (such as 1B), or max")
    whole, decimals, suffix = match[1].replace("_", ""), match[2] or "", match[3].upper()
    amount, rest = divmod(int(whole + decimals) * _SUFFIXES[suffix], 10 ** len(decimals))
    if rest:
        raise ValueError(f"{value} is not a whole number of units")
    return amount


class BlendConfig(BaseModel):
    """Which samples, how many, and in which proportion."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(default="main", pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")
    """Of the shard set; also its folder's name."""

    unit: Unit = "samples"
    """What weights and ``total`` count. ``tokens`` are an estimate: see ``curate.blend.amounts``."""

    weights: dict[str, float] = Field(default_factory=dict)
    """Share of each source or kind (interleaved, pair, text), in any scale. A kind stands for all its sources that are
    not named themselves. Empty: every kind by what the pool has of it."""

    total: Annotated[int | None, Field(gt=0), BeforeValidator(parse_total)] = None
    """Amount to draw, in ``unit``; None or ``max``: the most that weights and ``max_repeats`` allow."""

    max_repeats: int = Field(default=1, ge=1)
    """How often one sample may stand in the blend. Up to 4 cost little (Muennighoff et al. 2023, arXiv 2305.16264)."""

    seed: int = Field(default=0, ge=0)
    """Of the order within each source."""

    tokens_per_image: int = Field(default=576, ge=1)
    """Positions an image takes in a sequence: 576 for CLIP ViT-L/14 at 336 px, as VILA uses it (arXiv 2312.07533)."""

    chars_per_token: float = Field(default=4.0, gt=0, allow_inf_nan=False)
    """Characters of text per token: about 4 in English for byte-pair vocabularies of 32,000 and more."""

    @field_validator("weights")
    @classmethod
    def _check_weights(cls, weights: dict[str, float]) -> dict[str, float]:
        for name, weight in weights.items():
            if not math.isfinite(weight) or weight < 0:
                raise ValueError(f"{name}: {weight} must be zero or a positive number")
        if weights and not any(weights.values()):
            raise ValueError("at least one weight must be above zero")
        return weights
