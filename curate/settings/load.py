"""YAML text and ``--set`` overrides to a checked model, or to every fault that keeps them from being one."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from curate.contract.errors import RecipeError
from curate.settings.explain import explain
from curate.settings.overrides import apply_override

Model = TypeVar("Model", bound=BaseModel)
Raw = dict[str, Any]

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


def read_settings(path: str) -> str:
    """Return the text of a file of settings.

    Raises:
        RecipeError: It cannot be read.
    """
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError((f"{path}: cannot be read ({error})",)) from error


def parse_settings(
    text: str,
    model: type[Model],
    *,
    overrides: Sequence[str] = (),
    dotted: Collection[str] = (),
    more_faults: Callable[[Raw, set[str]], Sequence[str]] = lambda _raw, _faulty: (),
) -> Model:
    """Return the model that a YAML text and overrides describe.

    Args:
        text: YAML, a mapping.
        model: Frozen, and forbidding keys that it does not know.
        overrides: ``a.b=c`` strings; the value is read as YAML. They win over the text, later ones over earlier ones.
            An entry of a list may be addressed by its ``name`` or number.
        dotted: Keys below the top with a dot in their names.
        more_faults: Finds, in the raw mapping and the names of its faulty sections, what else can be told: called only
            where sections are faulty.

    Raises:
        RecipeError: All faults, each a line with its path.
    """
    raw = _parse(text, model)
    faults = [fault for override in overrides if (fault := apply_override(raw, override, dotted=dotted))]
    try:
        made = model.model_validate(raw)
    except ValidationError as error:
        faults += explain(error, model)
        faulty = {str(fault["loc"][0]) for fault in error.errors() if fault["loc"]}
        faults += more_faults(raw, faulty) if faulty else ()
        raise RecipeError(tuple(faults)) from error
    if faults:
        raise RecipeError(tuple(faults))
    return made


def _parse(text: str, model: type[BaseModel]) -> Raw:
    try:
        raw = yaml.load(text, Loader=_UniqueKeyLoader)  # noqa: S506 - a subclass of SafeLoader
    except yaml.YAMLError as error:
        raise RecipeError((f"not valid YAML: {error}",)) from error
    if not isinstance(raw, dict):
        first = next(name for name, info in model.model_fields.items() if info.is_required())
        raise RecipeError((f"not a mapping of names to values: there must be at least a line `{first}: ...`",))
    return raw
