"""The ``blend:`` section of a recipe."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from curate.blend.weights import Weight, check_weights, parse_amount

Unit = Literal["samples", "images", "tokens"]


def parse_total(value: object) -> object:
    """Turn ``1B``, ``2.5M`` or ``10_000`` into a number and ``max`` into None; leave the rest to pydantic.

    Raises:
        ValueError: A string of another form, or one that is no whole number.
    """
    if not isinstance(value, str):
        return value
    return None if value.strip().lower() == "max" else parse_amount(value)


def name_places(value: object) -> object:
    """Make the places of changing weights strings, as JSON has them: YAML reads ``0`` as a number."""
    if not isinstance(value, dict):
        return value
    return {
        name: {str(place): amount for place, amount in weight.items()} if isinstance(weight, dict) else weight
        for name, weight in value.items()
    }


class BlendConfig(BaseModel):
    """Which samples, how many, and in which proportion."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: str = Field(default="main", pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")
    """Of the shard set; also its folder's name."""

    unit: Unit = "samples"
    """What weights and ``total`` count. ``tokens`` are an estimate unless there is a ``tokenizer``."""

    weights: Annotated[dict[str, Weight], BeforeValidator(name_places)] = Field(default_factory=dict)
    """Share of each source or kind (interleaved, pair, text), in any scale. A kind stands for all its sources that are
    not named themselves. A weight may change along the run: ``{0%: 0.1, 100%: 0.4}`` or ``{0: 0.1, 10M: 0.4}``, see
    ``curate.blend.weights``. Empty: every kind by what the pool has of it."""

    total: Annotated[int | None, Field(gt=0), BeforeValidator(parse_total)] = None
    """Amount to draw, in ``unit``; None or ``max``: the most that weights and ``max_repeats`` allow."""

    epochs: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Instead of ``total``: the amount to draw in passes over everything that has a weight above zero. Sources whose
    weight is above their part of the pool are passed over more often than the others."""

    max_repeats: int = Field(default=1, ge=1)
    """How often one sample may stand in the blend. Up to 4 cost little (Muennighoff et al. 2023, arXiv 2305.16264)."""

    seed: int = Field(default=0, ge=0)
    """Of the order within each source."""

    tokens_per_image: int = Field(default=576, ge=1)
    """Positions an image takes in a sequence: 576 for CLIP ViT-L/14 at 336 px, as VILA uses it (arXiv 2312.07533)."""

    tokenizer: str | None = None
    """Folder with a ``tokenizer.json``, or name on the Hugging Face hub: text tokens are counted with it, without
    special tokens. None: they are estimated."""

    chars_per_token: float = Field(default=4.0, gt=0, allow_inf_nan=False)
    """Characters of text per token: about 4 in English for byte-pair vocabularies of 32,000 and more.
    Used without a ``tokenizer``."""

    @field_validator("weights")
    @classmethod
    def _check_weights(cls, weights: dict[str, Weight]) -> dict[str, Weight]:
        check_weights(weights)
        return weights

    @model_validator(mode="after")
    def _check_length(self) -> Self:
        if self.total is not None and self.epochs is not None:
            raise ValueError("total and epochs both say how long the blend is; give one of them")
        return self
