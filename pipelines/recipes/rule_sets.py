"""The ``admit:`` and ``keep:`` sections of a recipe, made from the registry of rules."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from filters.registry import RULES


def _rule_set(phase: str) -> type[BaseModel]:
    """Return the model of one section of rules: a field per rule of that phase, absent unless the recipe names it."""
    fields: dict[str, Any] = {
        name.replace(".", "_"): (spec.config | None, Field(default=None, alias=name))
        for name, spec in RULES.items()
        if spec.phase == phase
    }
    config = ConfigDict(frozen=True, extra="forbid", populate_by_name=False, serialize_by_alias=True)
    return create_model(f"{phase.capitalize()}Rules", __config__=config, **fields)


AdmitRules = _rule_set("admit")
KeepRules = _rule_set("keep")


def rule_configs(rules: BaseModel) -> dict[str, BaseModel]:
    """Return the rules a section names, in the registry's order: the first that rejects a row gives its reason."""
    named = {info.alias: getattr(rules, field) for field, info in type(rules).model_fields.items()}
    return {name: named[name] for name in RULES if named.get(name) is not None}
