"""YAML and ``--set`` into a Recipe: every fault at once, each with its path and a hint for misspelt keys."""

import difflib
import types
import typing
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, cast

import yaml
from pydantic import BaseModel, TypeAdapter, ValidationError

from curate.contract.errors import RecipeError
from filters.registry import RULES
from pipelines.recipes.checks import agreement_faults
from pipelines.recipes.recipe import Recipe

_MERGE_TAG = "tag:yaml.org,2002:merge"


class _UniqueKeyLoader(yaml.SafeLoader):
    """YAML lets a repeated key win silently; here it is a fault."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature
        keys = [self.construct_object(key, deep=True) for key, _ in node.value if key.tag != _MERGE_TAG]
        repeated = sorted({str(key) for key in keys if keys.count(key) > 1})
        if repeated:
            line = node.start_mark.line + 1
            raise RecipeError((f"line {line}: {', '.join(repeated)} given twice",))
        return super().construct_mapping(node, deep=deep)


def load_recipe(path: str, *, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe file.

    Args:
        path: YAML file.
        overrides: ``a.b=c`` strings; the value is read as YAML. A source may be addressed by its name or number.

    Raises:
        RecipeError: All faults, each a line with its path.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError((f"{path}: cannot be read ({error})",)) from error
    return parse_recipe(text, overrides=overrides)


def parse_recipe(text: str, *, overrides: Sequence[str] = ()) -> Recipe:
    """Parse a recipe's YAML text; see load_recipe."""
    try:
        raw = yaml.load(text, Loader=_UniqueKeyLoader)  # noqa: S506 - a subclass of SafeLoader
    except yaml.YAMLError as error:
        raise RecipeError((f"not valid YAML: {error}",)) from error
    if not isinstance(raw, dict):
        raise RecipeError(("a recipe is a mapping that begins with `sources:`",))
    faults = [fault for override in overrides if (fault := _apply_override(raw, override))]
    try:
        recipe = Recipe.model_validate(raw)
    except ValidationError as error:
        found = _telling(error.errors())
        faults += [line for fault in found for line in _explain(fault)]
        faults += _faults_between_others(raw, {str(fault["loc"][0]) for fault in found if fault["loc"]})
        raise RecipeError(tuple(faults)) from error
    if faults:
        raise RecipeError(tuple(faults))
    return recipe


def _telling(faults: Sequence[Any]) -> list[Any]:
    """Leave out that a list is too short where that is only because its entries are faulty."""
    return [
        fault
        for fault in faults
        if fault["type"] != "too_short" or not any(_is_below(other["loc"], fault["loc"]) for other in faults)
    ]


def _is_below(location: tuple[Any, ...], above: tuple[Any, ...]) -> bool:
    return len(location) > len(above) and location[: len(above)] == above


def _faults_between_others(raw: dict[str, Any], faulty: set[str]) -> list[str]:
    """Return what does not agree between the sections that have no faults of their own."""
    if not faulty:
        return []  # they have been compared
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


def _apply_override(raw: dict[str, Any], override: str) -> str | None:
    path, equals, value = override.partition("=")
    if not equals or not path:
        return f"--set {override}: write it as key.key=value"
    try:
        parsed = yaml.safe_load(value)
    except yaml.YAMLError:
        return f"--set {path}: {value!r} is not valid YAML"
    keys = _split_keys(path)
    place: Any = raw
    for key in keys[:-1]:
        if isinstance(place, list):
            place = _list_entry(place, key)
        elif isinstance(place, dict):
            if place.get(key) is None:
                place[key] = {}
            place = place[key]
        if not isinstance(place, dict | list):
            return f"--set {path}: {key} is no section"
    if not isinstance(place, dict):
        return f"--set {path}: name a key of that list's entry"
    place[keys[-1]] = parsed
    return None


def _split_keys(path: str) -> list[str]:
    """Split at dots, but keep rule names such as ``image.clip`` whole."""
    parts = path.split(".")
    keys: list[str] = []
    while parts:
        pair = ".".join(parts[:2])
        length = 2 if keys and keys[0] in {"admit", "keep"} and pair in RULES else 1
        keys.append(".".join(parts[:length]))
        parts = parts[length:]
    return keys


def _list_entry(entries: list[Any], key: str) -> Any:
    if key.isdigit() and int(key) < len(entries):
        return entries[int(key)]
    return next((entry for entry in entries if isinstance(entry, dict) and entry.get("name") == key), None)


def _explain(fault: Any) -> list[str]:
    """Return a fault of pydantic as lines of ours."""
    location = [str(part) for part in fault["loc"]]
    message = str(fault["msg"]).removeprefix("Value error, ")
    if not location:  # a check that spans sections writes its own paths
        return message.splitlines()
    where = ".".join(location)
    if fault["type"] == "extra_forbidden":
        close = difflib.get_close_matches(location[-1], _known_keys(location[:-1]), n=1, cutoff=0.6)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        return [f"{where}: unknown key{hint}"]
    if fault["type"] == "missing":
        return [f"{where}: required, but not given"]
    return [f"{where}: {message} (got {fault['input']!r})"]


def _known_keys(location: Sequence[str]) -> list[str]:
    """Return the keys a recipe may have at a place."""
    models: list[type[BaseModel]] = [Recipe]
    for part in location:
        models = [found for model in models for found in _models_below(model, part)] or models
    return sorted({info.alias or name for model in models for name, info in model.model_fields.items()})


def _models_below(model: type[BaseModel], key: str) -> list[type[BaseModel]]:
    for name, info in model.model_fields.items():
        if key in {name, info.alias}:
            return _models_in(info.annotation)
    return []


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return [annotation] if issubclass(annotation, BaseModel) else []
    return [model for argument in typing.get_args(annotation) for model in _models_in(argument)]
