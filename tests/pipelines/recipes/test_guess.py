import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.contract.errors import RecipeError
from pipelines.recipes.guess import Guess, guess_source, guess_type, write_recipe
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


LLAVA = {"image": "coco/1.jpg", "conversations": [{"from": "human", "value": "<image>"}, {"from": "gpt", "value": "a"}]}
COCO = {"images": [{"id": 1, "file_name": "1.jpg"}], "annotations": [{"image_id": 1, "caption": "a cat"}]}
LINES = '{"url": "coco/1.jpg", "text": "a"}{"url": "coco/1.jpg", "text": "b"}'
OBELICS = {"images": [None, "coco/1.jpg"], "texts": ["t", None]}
ON_PAGE = OBELICS | {"general_metadata": {"url": "http://h/"}}


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (LLAVA, Guess(type="instructions", image_root="IN/pictures")),
        ([LLAVA], Guess(type="instructions", image_root="IN/pictures")),
        (LLAVA | {"image": "http://h/1.jpg"}, Guess(type="instructions")),
        (LLAVA | {"image": "../1.jpg"}, Guess(type="instructions", image_root="IN")),
        (COCO, Guess(type="pairs", image_root="IN")),
        (COCO | {"images": [{"id": 1, "coco_url": "http://h/1.jpg", "file_name": "1.jpg"}]}, Guess(type="pairs")),
        (LINES, Guess(type="pairs", image_root="IN/pictures")),
        (OBELICS, Guess(type="obelics", image_root="IN/pictures")),
        (ON_PAGE, Guess(type="obelics")),
    ],
)
def test_paths_of_pictures_ask_for_their_folder(tmp_path: Path, record: object, expected: Guess) -> None:
    (tmp_path / "pictures" / "coco").mkdir(parents=True)
    (tmp_path / "pictures" / "coco" / "1.jpg").touch()
    file = tmp_path / "a.json"
    file.write_text(record if isinstance(record, str) else json.dumps(record))
    guess = guess_source(str(file))
    assert guess is not None
    assert (guess.type, (guess.image_root or "").replace(str(tmp_path), "IN") or None) == (
        expected.type,
        expected.image_root,
    )
    (source,) = parse_recipe(write_recipe([str(file)]), overrides=["fetch.contact=mailto:me@example.org"]).sources
    assert getattr(source, "image_root", None) == guess.image_root


def test_a_folder_of_pictures_is_known(tmp_path: Path) -> None:
    (tmp_path / "cats").mkdir()
    (tmp_path / "cats" / "1.jpg").write_bytes(b"J")
    (tmp_path / "cats" / "1.txt").write_text("a cat")
    (source,) = parse_recipe(write_recipe([str(tmp_path / "cats")])).sources
    assert (source.name, source.type, source.path) == ("cats", "folder", str(tmp_path / "cats"))


def test_archives_are_known_by_what_they_hold(tmp_path: Path) -> None:
    (tmp_path / "a.warc").write_bytes(record("http://a.example/1"))
    (tmp_path / "a.tar").write_bytes(tar(("0.jpg", b"J"), ("0.txt", b"a cat")))
    assert [guess_type(str(tmp_path / name)) for name in ("a.warc", "a.tar")] == ["warc", "webdataset"]
    order = {"texts": ["t", None], "images": [None, "0.0.jpg"]}
    (tmp_path / "b.tar").write_bytes(tar(("0.json", json.dumps(order).encode()), ("0.0.jpg", b"J")))
    assert guess_type(str(tmp_path / "b.tar")) == "webdataset"
