from typing import Any

import pytest

from curate.settings.overrides import apply_override


def settings() -> dict[str, Any]:
    return {"a": {"b": 1}, "rules": {"image.clip": {"min": 1}}, "list": [{"name": "x", "n": 1}, 2], "none": None}


def test_values_are_yaml_and_sections_are_made() -> None:
    raw = settings()
    for override in ("a.b=[1, two]", "none.deep.er=null", "c=x=y", "list.x.n=3", "list.0.m=4"):
        assert apply_override(raw, override) is None
    assert raw["a"] == {"b": [1, "two"]}
    assert raw["none"] == {"deep": {"er": None}}
    assert raw["c"] == "x=y"
    assert raw["list"][0] == {"name": "x", "n": 3, "m": 4}


def test_dotted_keys_stay_whole_below_the_top() -> None:
    raw = settings()
    assert apply_override(raw, "rules.image.clip.min=2", dotted={"image.clip"}) is None
    assert apply_override(raw, "image.clip=3", dotted={"image.clip"}) is None
    assert raw["rules"] == {"image.clip": {"min": 2}}
    assert raw["image"] == {"clip": 3}


@pytest.mark.parametrize(
    ("override", "fault"),
    [
        ("a.b", "write it as key.key=value"),
        ("=3", "write it as key.key=value"),
        ("a..b=3", "write it as key.key=value"),
        ("a.b=[", "is not valid YAML"),
        ("a.b.c=3", "b is no section"),
        ("list.nobody.n=3", "nobody is no section"),
        ("list.9.n=3", "9 is no section"),
        ("list.1.n=3", "1 is no section"),
        ("list.0=3", "name a key of that list's entry"),
    ],
)
def test_what_points_nowhere_is_said_and_changes_nothing(override: str, fault: str) -> None:
    raw = settings()
    found = apply_override(raw, override)
    assert found is not None
    assert found.startswith("--set ")
    assert fault in found
    assert raw == settings()
