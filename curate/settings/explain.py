"""Faults that pydantic finds, as lines for a person: where, what, and what was meant."""

import difflib
import types
import typing
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError


def explain(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """Return a line per fault, with its path and a hint for misspelt keys; a check that spans sections may give more.

    Args:
        error: Of ``model``.
        model: What was validated.
    """
    return [line for fault in _telling(error.errors()) for line in _explain(fault, model)]


def _telling(faults: Sequence[Any]) -> list[Any]:
    """Leave out that a list is too short where that is only because its entries are faulty."""
    return [
        fault
        for fault in faults
        if fault["type"] != "too_short" or not any(_is_below(other["loc"], fault["loc"]) for other in faults)
    ]


def _is_below(location: tuple[Any, ...], above: tuple[Any, ...]) -> bool:
    return len(location) > len(above) and location[: len(above)] == above


def _explain(fault: Any, model: type[BaseModel]) -> Iterator[str]:
    location = [str(part) for part in fault["loc"]]
    message = str(fault["msg"]).removeprefix("Value error, ")
    if not location:  # a check that spans sections writes its own paths
        yield from message.splitlines()
        return
    where = ".".join(location)
    if fault["type"] == "extra_forbidden":
        known = _known_keys(location[:-1], model)
        close = difflib.get_close_matches(location[-1], known, n=1, cutoff=0.6)
        yield f"{where}: unknown key " + (
            f"(did you mean {close[0]!r}?)" if close else f"(there are: {', '.join(known)})"
        )
    elif fault["type"] == "missing":
        yield f"{where}: required, but not given"
    else:
        yield f"{where}: {message} (got {fault['input']!r})"


def _known_keys(location: Sequence[str], model: type[BaseModel]) -> list[str]:
    """Return the keys that there may be at a place."""
    models = [model]
    for part in location:
        models = [found for one in models for found in _models_below(one, part)] or models
    return sorted({info.alias or name for one in models for name, info in one.model_fields.items()})


def _models_below(model: type[BaseModel], key: str) -> list[type[BaseModel]]:
    for name, info in model.model_fields.items():
        if key in {name, info.alias}:
            return _models_in(info.annotation)
    return []


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return [annotation] if issubclass(annotation, BaseModel) else []
    return [model for argument in typing.get_args(annotation) for model in _models_in(argument)]
