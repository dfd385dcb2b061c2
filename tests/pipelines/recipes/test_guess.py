import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.contract.errors import RecipeError
from pipelines.recipes.guess import guess_type, write_recipe
from pipelines.recipes.load import parse_recipe
from tests.curate.ingest.files.test_tars import tar
from tests.curate.ingest.files.test_warc import record

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
    text = str(error.value)
    assert f"{tmp_path}/noise.bin: no record of any known kind in it" in text
    assert "  as warc: 1: reading stops here" in text
    assert text.endswith(f"{tmp_path}/missing.jsonl: no such file")


def test_lines_of_an_image_and_a_text_are_pairs(tmp_path: Path) -> None:
    (tmp_path / "pairs.txt").write_text("http://a.example/1.jpg a cat\nhttp://a.example/2.jpg a dog\n")
    assert guess_type(str(tmp_path / "pairs.txt")) == "pairs"


def test_conversations_of_which_half_need_an_image_root_are_known(tmp_path: Path) -> None:
    turns = [{"from": "human", "value": "<image>\nwhat?"}, {"from": "gpt", "value": "a cat"}]
    plain = [{"from": "human", "value": "what?"}, {"from": "gpt", "value": "a cat"}]
    rows = [{"id": "1", "image": "1.jpg", "conversations": turns}, {"id": "2", "conversations": plain}]
    (tmp_path / "llava.json").write_text(json.dumps(rows))
    assert guess_type(str(tmp_path / "llava.json")) == "instructions"


def test_archives_are_known_by_what_they_hold(tmp_path: Path) -> None:
    (tmp_path / "a.warc").write_bytes(record("http://a.example/1"))
    (tmp_path / "a.tar").write_bytes(tar(("0.jpg", b"J"), ("0.txt", b"a cat")))
    assert [guess_type(str(tmp_path / name)) for name in ("a.warc", "a.tar")] == ["warc", "webdataset"]
