"""Every rule by its name, in the order in which they are asked: the first that rejects a row gives its reason."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa
from pydantic import BaseModel

from filters.doc.images import ImagesConfig, images
from filters.image.aspect import AspectConfig, aspect
from filters.image.clip import ClipFloorConfig, clip
from filters.image.size import SizeConfig, size
from filters.text.language import LanguageConfig, language
from filters.text.replacement import ReplacementConfig, replacement
from filters.text.words import WordsConfig, words
from filters.url.frequency import FrequencyConfig, frequency
from filters.url.tokens import TokensConfig, tokens

Level = Literal["text", "url", "image", "doc"]
Phase = Literal["admit", "keep"]


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleSpec:
    """One rule and what it needs."""

    name: str
    """``item.rule``: the file is ``filters/<item>/<rule>.py`` and the reason has the same name."""
    level: Level
    """What a row is: ``text`` and ``doc`` a document, ``url`` an image item, ``image`` a fetched image."""
    phase: Phase
    """``admit``: before images are fetched; ``keep``: after everything is measured."""
    config: type[BaseModel]
    function: Callable[..., pa.StringArray]
    """``(batch, *, config) -> string array``, a reason per row, null = keep."""
    columns: tuple[str, ...]
    """What it reads."""
    needs_clip: bool = False
    """Whether it reads scores that only a CLIP model gives."""


_SIDES = ("kind", "original_width", "original_height")

_SPECS = (
    RuleSpec(
        name="text.language",
        level="text",
        phase="admit",
        config=LanguageConfig,
        function=language,
        columns=("kind", "lang", "lang_prob"),
    ),
    RuleSpec(
        name="text.words",
        level="text",
        phase="admit",
        config=WordsConfig,
        function=words,
        columns=("kind", "num_words"),
    ),
    RuleSpec(
        name="text.replacement",
        level="text",
        phase="admit",
        config=ReplacementConfig,
        function=replacement,
        columns=("kind", "replacement_ratio"),
    ),
    RuleSpec(
        name="url.tokens",
        level="url",
        phase="admit",
        config=TokensConfig,
        function=tokens,
        columns=("kind", "image_url"),
    ),
    RuleSpec(
        name="url.frequency",
        level="url",
        phase="admit",
        config=FrequencyConfig,
        function=frequency,
        columns=("kind", "url_count"),
    ),
    RuleSpec(name="image.size", level="image", phase="keep", config=SizeConfig, function=size, columns=_SIDES),
    RuleSpec(name="image.aspect", level="image", phase="keep", config=AspectConfig, function=aspect, columns=_SIDES),
    RuleSpec(
        name="image.clip",
        level="image",
        phase="keep",
        config=ClipFloorConfig,
        function=clip,
        columns=("kind", "best_sim"),
        needs_clip=True,
    ),
    RuleSpec(
        name="doc.images",
        level="doc",
        phase="keep",
        config=ImagesConfig,
        function=images,
        columns=("kind", "num_images"),
    ),
)

RULES: dict[str, RuleSpec] = {spec.name: spec for spec in _SPECS}
