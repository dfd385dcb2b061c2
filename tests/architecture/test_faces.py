"""What users may import: each package says what it is for, and ``__all__`` states its public names, no others."""

import ast
import importlib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("curate", "filters", "shards", "pipelines", "train_bridge")
FACES = {
    "curate.blend": {"plan_blend", "BlendConfig"},
    "curate.contract": {"CurateError"},
    "filters": {"RULES", "image_clip", "text_language"},
    "shards": {"read_index", "ShardReader", "write_shard", "finish_shard_set", "verify_shards"},
    "train_bridge": {"ShardDataset"},
}
"""Packages with public names, and some that they must have."""
INITS = sorted(path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package).rglob("__init__.py"))


@pytest.mark.parametrize("path", INITS, ids=str)
def test_every_package_says_what_it_is_for_and_which_file_to_open_first(path: Path) -> None:
    text = ast.get_docstring(ast.parse((ROOT / path).read_text(encoding="utf-8")))
    assert text is not None
    has_rooms = any((child / "__init__.py").exists() for child in (ROOT / path.parent).iterdir())
    places = (ROOT / path.parent, ROOT / path.parent.parent, ROOT)
    words = [word.strip("`.,;()") for word in text.split() if "``" in word]
    named = [word for word in words if any((place / word).exists() for place in places)]
    assert named or has_rooms or path.parts[0] == "filters", f"{path}: names no file to open"


def public_names(module: ModuleType) -> set[str]:
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and not isinstance(value, ModuleType) and name != "TYPE_CHECKING"
    }


@pytest.mark.parametrize("name", FACES)
def test_a_face_has_its_names_each_with_its_own_words(name: str) -> None:
    module = importlib.import_module(name)
    names = list(module.__all__)
    assert FACES[name] <= set(names)
    assert public_names(module) <= set(names)
    for public in names:
        value = getattr(module, public)
        assert getattr(value, "__module__", name).startswith(name.split(".", maxsplit=1)[0])
        assert callable(value) is False or value.__doc__


def test_no_other_package_states_public_names() -> None:
    stated = {".".join(path.parent.parts) for path in INITS if "__all__" in (ROOT / path).read_text(encoding="utf-8")}
    assert stated == set(FACES)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        importlib.import_module("train_bridge").Nothing  # noqa: B018
    assert "ShardDataset" in dir(importlib.import_module("train_bridge"))


@pytest.mark.parametrize("package", PACKAGES)
def test_types_are_told_to_users_of_the_package(package: str) -> None:
    assert (ROOT / package / "py.typed").exists()
