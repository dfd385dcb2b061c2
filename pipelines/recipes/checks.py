"""Checks that span sections of a recipe: what one section says may need, or rule out, what another does.

Each check says which sections it reads. Where one of them has faults of its own the check is left out, and the others
still find theirs: every fault is told at once, and none that follows from another.
"""

from collections import Counter
from collections.abc import Callable, Container
from typing import Any

from curate.contract.reasons import Kind
from curate.fetch.config import Backend, missing_for_img2dataset
from curate.ingest.config import image_address
from filters.registry import RULES
from pipelines.recipes.rule_sets import rule_configs

POOL_NAMES = frozenset({"pool", "decided"})
"""Files of ``blend/`` that belong to no shard set."""


def agreement_faults(recipe: Any, sound: Container[str]) -> list[str]:
    """Return the faults between sections, each with its path.

    Args:
        recipe: Has the sections in ``sound`` as attributes.
        sound: Names of sections without faults of their own.
    """
    return [
        fault for check, sections in CHECKS.items() if all(one in sound for one in sections) for fault in check(recipe)
    ]


def _name_faults(recipe: Any) -> list[str]:
    counts = Counter(source.name for source in recipe.sources)
    return [
        f"sources: two sources are named {name!r}; names must differ" for name in sorted(counts) if counts[name] > 1
    ]


def _rule_score_faults(recipe: Any) -> list[str]:
    if recipe.clip is not None:
        return []
    return [
        f"{section}.{name}: reads CLIP scores, but the recipe has no clip section (add `clip: {{model: ...}}`)"
        for section, rules in (("admit", recipe.admit), ("keep", recipe.keep))
        for name in rule_configs(rules)
        if RULES[name].needs_clip
    ]


def _dedup_score_faults(recipe: Any) -> list[str]:
    if recipe.clip is None and recipe.dedup is not None and recipe.dedup.image.cosine is not None:
        return ["dedup.image.cosine: reads CLIP embeddings, but the recipe has no clip section"]
    return []


def _weight_faults(recipe: Any) -> list[str]:
    known = {source.name for source in recipe.sources} | {str(kind) for kind in Kind}
    return [
        f"blend.weights.{name}: names no source and no kind (there are: {', '.join(sorted(known))})"
        for name in recipe.blend.weights
        if name not in known
    ]


def _contact_faults(recipe: Any) -> list[str]:
    if recipe.fetch.contact or recipe.fetch.allow_private:
        return []
    fetches = any(not _is_whole(source) and not _is_text_alone(source) for source in recipe.sources)
    hint = "fetch.contact: required to fetch from the web: how site owners reach you (mailto:you@example.org)"
    return [hint] if fetches else []


def _is_whole(source: Any) -> bool:
    return source.type == "folder" or (source.type == "webdataset" and not source.fetch_absent)


def _is_text_alone(source: Any) -> bool:
    return source.type == "instructions" and image_address(source) is None


def _backend_faults(recipe: Any) -> list[str]:
    if recipe.fetch.backend is not Backend.IMG2DATASET:
        return []
    missing = ", ".join(missing_for_img2dataset())
    hint = f"img2dataset needs {missing}: install vila-curate[img2dataset], on Python 3.11 or 3.12"
    checks = ("respect_robots", "respect_tdmrep", "respect_content_usage")
    return [
        *([f"fetch.backend: {hint}"] if missing else []),
        *(
            f"fetch.{name}: the backend img2dataset cannot; say `{name}: false`, or take the backend `own`"
            for name in checks
            if getattr(recipe.fetch, name)
        ),
    ]


def _set_name_faults(recipe: Any) -> list[str]:
    name = recipe.blend.name
    return [f"blend.name: {name} is taken by a file of the pool; choose another"] if name in POOL_NAMES else []


def _licence_faults(recipe: Any) -> list[str]:
    known = sorted({source.name for source in recipe.sources})
    return [
        f"datasheet.source_licenses.{name}: names no source (there are: {', '.join(known)})"
        for name in recipe.datasheet.source_licenses
        if name not in known
    ]


CHECKS: dict[Callable[[Any], list[str]], tuple[str, ...]] = {
    _name_faults: ("sources",),
    _rule_score_faults: ("clip", "admit", "keep"),
    _dedup_score_faults: ("clip", "dedup"),
    _weight_faults: ("sources", "blend"),
    _contact_faults: ("sources", "fetch"),
    _backend_faults: ("fetch",),
    _set_name_faults: ("blend",),
    _licence_faults: ("sources", "datasheet"),
}
"""Each check with the sections it reads."""
