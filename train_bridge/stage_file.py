"""Reads a stage file: YAML and ``--set`` overrides to a checked ``StageConfig``, or every fault at once."""

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from curate.contract.errors import RecipeError
from train_bridge.config import StageConfig


def load_stage(path: str, *, overrides: Sequence[str] = ()) -> StageConfig:
    """Read and check a stage file.

    Args:
        path: YAML file.
        overrides: ``a.b=value`` each, value in YAML; they win over the file, the last one over those before it.

    Raises:
        RecipeError: All faults of file and overrides, each with its place.
    """
    content = _read_yaml(path)
    faults = [fault for override in overrides if (fault := _apply_override(content, override))]
    if faults:
        raise RecipeError(tuple(faults))
    try:
        return StageConfig.model_validate(content)
    except ValidationError as error:
        raise RecipeError(tuple(_fault_lines(error))) from error


def _read_yaml(path: str) -> dict[str, Any]:
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError((f"{path}: cannot be read ({error.strerror})",)) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RecipeError((f"{path}: not YAML ({' '.join(str(error).split())})",)) from error
    if not isinstance(content, dict):
        raise RecipeError((f"{path}: a stage is a mapping of names to values",))
    return content


def _apply_override(content: dict[str, Any], override: str) -> str | None:
    """Put one override in place; return what is wrong with it."""
    dotted, equals, text = override.partition("=")
    names = dotted.split(".")
    if not equals or not all(names):
        return f"--set {override}: write it as a.b=value"
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        return f"--set {override}: the value is not YAML ({' '.join(str(error).split())})"
    for name in names[:-1]:
        if content.get(name) is None:
            content[name] = {}
        content = content[name]
        if not isinstance(content, dict):
            return f"--set {override}: {name} is no section"
    content[names[-1]] = value
    return None


def _fault_lines(error: ValidationError) -> Iterable[str]:
    for fault in error.errors(include_url=False):
        place = ".".join(map(str, fault["loc"])) or "stage"
        if fault["type"] == "extra_forbidden":
            yield f"{place}: no such setting{_hint(fault['loc'])}"
        elif fault["type"] == "missing":
            yield f"{place}: must be given"
        else:
            message = fault["msg"].removeprefix("Value error, ")
            given = "" if isinstance(fault["input"], dict) else f", got {fault['input']!r}"
            yield f"{place}: {message}{given}"


def _hint(location: tuple[int | str, ...]) -> str:
    """Name the settings that a misspelt one may have meant."""
    model: type[BaseModel] = StageConfig
    for name in location[:-1]:
        field = model.model_fields.get(str(name))
        nested = _nested_model(field.annotation) if field else None
        if nested is None:
            return ""
        model = nested
    close = difflib.get_close_matches(str(location[-1]), model.model_fields, n=1)
    return f"; did you mean {close[0]}?" if close else f"; there are {', '.join(sorted(model.model_fields))}"


def _nested_model(annotation: Any) -> type[BaseModel] | None:
    candidates = (annotation, *getattr(annotation, "__args__", ()))
    return next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), None)
