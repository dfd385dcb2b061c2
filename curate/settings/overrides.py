"""``--set a.b=c``: one value put into a mapping that YAML gave."""

from collections.abc import Collection
from typing import Any

import yaml


def apply_override(raw: dict[str, Any], override: str, *, dotted: Collection[str] = ()) -> str | None:
    """Put one override in place; return what is wrong with it.

    Args:
        raw: Changed in place; sections that are missing are made.
        override: ``a.b=c``; the value is read as YAML.
        dotted: Keys below the top with a dot in their names, such as those of rules.
    """
    path, equals, value = override.partition("=")
    keys = _split_keys(path, dotted)
    if not equals or not all(keys):
        return f"--set {override}: write it as key.key=value"
    try:
        parsed = yaml.safe_load(value)
    except yaml.YAMLError:
        return f"--set {path}: {value!r} is not valid YAML"
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


def _split_keys(path: str, dotted: Collection[str]) -> list[str]:
    """Split at dots, but keep dotted keys whole."""
    parts = path.split(".")
    keys: list[str] = []
    while parts:
        length = 2 if keys and ".".join(parts[:2]) in dotted else 1
        keys.append(".".join(parts[:length]))
        parts = parts[length:]
    return keys


def _list_entry(entries: list[Any], key: str) -> Any:
    if key.isdigit() and int(key) < len(entries):
        return entries[int(key)]
    return next((entry for entry in entries if isinstance(entry, dict) and entry.get("name") == key), None)
