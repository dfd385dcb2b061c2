"""What a recipe tells the dataset card about how the content was collected."""

from curate.fetch.config import FetchConfig, user_agent
from curate.measure.config import ClipConfig
from pipelines.recipes.recipe import Recipe
from shards.datasheet import CollectionFacts

SIGNALS = {
    "respect_robots": "robots.txt (RFC 9309)",
    "respect_x_robots": "X-Robots-Tag (noai, noimageai, noml, noindex, noimageindex)",
    "respect_tdmrep": "TDM Reservation Protocol",
    "respect_content_usage": "Content-Usage (IETF aipref)",
}
"""Switch of the fetch section -> the signal as people know it."""


def collection_facts(recipe: Recipe) -> CollectionFacts:
    """Return the facts of a recipe: a signal whose switch is on was obeyed, one whose switch is off was not asked."""
    switches = recipe.fetch.model_dump(include=set(SIGNALS))
    return CollectionFacts(
        user_agent=user_agent(recipe.fetch),
        honoured=[signal for name, signal in SIGNALS.items() if switches.get(name) is True],
        ignored=[signal for name, signal in SIGNALS.items() if switches.get(name) is False],
        image_processing=_describe_resize(recipe.fetch),
        clip_model=None if recipe.clip is None else _describe_clip(recipe.clip),
    )


def _describe_resize(config: FetchConfig) -> str:
    if config.resize is None:
        return "kept at their size"
    only = " where it was longer" if config.resize.only_if_larger else ""
    return f"scaled to a shorter side of {config.resize.shorter_side} px{only}"


def _describe_clip(config: ClipConfig) -> str:
    return config.model if config.pretrained is None else f"{config.model} ({config.pretrained})"
