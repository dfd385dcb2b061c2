import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.contract.errors import RecipeError
from pipelines.recipes.guess import guess_type, write_recipe
from pipelines.recipes.load import parse_recipe

MMC4 = {
    "url": "http://a.example/p",
    "text_list": ["A sentence."],
    "image_info": [{"raw_url": "http://a.example/i.jpg"}],
}
MESSAGES = {"messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}]}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "docs.jsonl").write_text(json.dumps(MMC4) + "\n{broken\n" + json.dumps(MMC4))
    (tmp_path / "chat.jsonl").write_text(json.dumps(MESSAGES))
    (tmp_path / "pages.txt").write_text("http://a.example/1\nhttp://a.example/2\n")
    pq.write_table(pa.table({"URL": ["http://a.example/i.jpg"], "TEXT": ["a cat"]}), tmp_path / "laion.parquet")
    names = {"mmc4": "docs.jsonl", "instructions": "chat.jsonl", "pages": "pages.txt", "pairs": "laion.parquet"}
    return {kind: str(tmp_path / name) for kind, name in names.items()}


def test_each_kind_of_file_is_recognised(files: dict[str, str]) -> None:
    assert {kind: guess_type(file) for kind, file in files.items()} == {kind: kind for kind in files}


def test_the_recipe_can_be_run_once_it_has_an_address(files: dict[str, str]) -> None:
    text = write_recipe(list(files.values()))
    recipe = parse_recipe(text, overrides=["fetch.contact=mailto:me@example.org"])
    assert {source.type: source.path for source in recipe.sources} == files
    with pytest.raises(RecipeError, match=r"fetch\.contact"):
        parse_recipe(text)


def test_files_of_one_name_get_names_of_their_own(files: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    other = tmp_path / "more" / "pages.txt"
    other.write_text("http://b.example/1\n")
    names = [
        source.name
        for source in parse_recipe(
            write_recipe([files["pages"], str(other)]), overrides=["fetch.contact=mailto:me@example.org"]
        ).sources
    ]
    assert names == ["pages", "pages_2"]


def test_relative_paths_are_seen_from_the_recipe(files: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(files["pages"]).parent)
    text = write_recipe(["pages.txt"], folder=Path("recipes"))
    assert parse_recipe(text, overrides=["fetch.contact=mailto:me@example.org"]).sources[0].path == "../pages.txt"


def test_every_unknown_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "noise.bin").write_bytes(b"\x00\xff" * 100)
    with pytest.raises(RecipeError) as error:
        write_recipe([str(tmp_path / "noise.bin"), str(tmp_path / "missing.jsonl")])
    assert len(error.value.faults) == 2
