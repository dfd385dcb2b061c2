"""YAML and ``--set`` into a Recipe: every fault at once, each with its path and a hint for misspelt keys."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Annotated, Any, cast

import yaml
from pydantic import TypeAdapter

from curate.settings.load import parse_settings, read_settings
from filters.registry import RULES
from pipelines.recipes.checks import agreement_faults
from pipelines.recipes.recipe import Recipe


def load_recipe(path: str, *, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe file.

    Args:
        path: YAML file.
        overrides: ``a.b=c`` strings; the value is read as YAML. A source may be addressed by its name or number.

    Raises:
        RecipeError: All faults, each a line with its path.
    """
    return parse_recipe(read_settings(path), overrides=overrides)


def parse_recipe(text: str, *, overrides: Sequence[str] = ()) -> Recipe:
    """Parse a recipe's YAML text; see load_recipe."""
    return parse_settings(text, Recipe, overrides=overrides, dotted=RULES, more_faults=_faults_between_others)


def _faults_between_others(raw: dict[str, Any], faulty: set[str]) -> list[str]:
    """Return what does not agree between the sections that have no faults of their own."""
    sections: dict[str, Any] = {}
    for name, info in Recipe.model_fields.items():
        if name in faulty:
            continue
        if name in raw:
            sections[name] = TypeAdapter(cast("Any", Annotated[info.annotation, info])).validate_python(raw[name])
        elif not info.is_required():
            sections[name] = info.get_default(call_default_factory=True, validated_data={})
    return agreement_faults(SimpleNamespace(**sections), sections)


def dump_recipe(recipe: Recipe) -> str:
    """Return the resolved recipe as YAML, every default spelt out."""
    plain = recipe.model_dump(mode="json", by_alias=True)
    for section in ("admit", "keep"):
        plain[section] = {rule: options for rule, options in plain[section].items() if options is not None}
    return str(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True))
