import json
from collections import Counter
from pathlib import Path

import fsspec
import pytest

from curate.contract.errors import ShardError
from shards.export.formats import FORMATS, export_shards
from shards.export.names import ExportFormat
from tests.shards.export.conftest import DOCUMENTS, NUM_IMAGES


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_name_has_its_exporter() -> None:
    assert list(FORMATS) == list(ExportFormat) == ["openflamingo", "mmc4", "obelics", "pairs", "llava"]


@pytest.mark.parametrize("name", FORMATS)
def test_every_document_and_image_is_written_or_counted(name: ExportFormat, varied_set: str, tmp_path: Path) -> None:
    tally = export_shards(varied_set, format_name=name, out=str(tmp_path / "out"))
    assert tally.num_documents == len(DOCUMENTS)
    assert tally.num_images == NUM_IMAGES
    assert tally.num_documents == tally.num_documents_written + sum(tally.documents_left_out.values())
    assert tally.num_images == tally.num_images_written + sum(tally.images_left_out.values())
    report = json.loads((tmp_path / "out/export.json").read_text())
    assert report == {"format": name, "shard_set": "main", "recipe_sha256": "ab" * 32} | tally.to_dict()


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_shards_give_the_same_bytes(name: ExportFormat, varied_set: str, tmp_path: Path) -> None:
    for out in ("a", "b"):
        export_shards(varied_set, format_name=name, out=str(tmp_path / out))
    assert _files(tmp_path / "a") == _files(tmp_path / "b")
    assert Counter(path.name for path in tmp_path.iterdir()) == {"a": 1, "b": 1}


def test_an_export_to_an_object_store_holds_the_same_files(varied_set: str, tmp_path: Path) -> None:
    export_shards(varied_set, format_name=ExportFormat.LLAVA, out=str(tmp_path / "a"))
    export_shards(varied_set, format_name=ExportFormat.LLAVA, out="memory://export/a")
    file_system, root = fsspec.url_to_fs("memory://export/a")
    found = {path.removeprefix(f"{root}/"): file_system.cat_file(path) for path in file_system.find(root)}
    assert found == _files(tmp_path / "a")


def test_a_folder_with_something_in_it_is_refused(varied_set: str, tmp_path: Path) -> None:
    (tmp_path / "keep.txt").touch()
    with pytest.raises(ShardError, match="absent or empty"):
        export_shards(varied_set, format_name=ExportFormat.MMC4, out=str(tmp_path))
    with pytest.raises(ShardError, match="absent or empty"):
        export_shards(varied_set, format_name=ExportFormat.MMC4, out=str(tmp_path / "keep.txt"))
    assert [path.name for path in tmp_path.iterdir()] == ["keep.txt"]


def test_a_failed_export_leaves_nothing_and_a_killed_ones_rest_is_cleared(varied_set: str, tmp_path: Path) -> None:
    with pytest.raises(ShardError, match=r"manifest\.json is missing"):
        export_shards(str(tmp_path), format_name=ExportFormat.MMC4, out=str(tmp_path / "out"))
    assert list(tmp_path.iterdir()) == []
    rest = tmp_path / ".out.partial"
    rest.mkdir()
    (rest / "stale.jsonl").touch()
    (tmp_path / "out").mkdir()
    export_shards(varied_set, format_name=ExportFormat.MMC4, out=str(tmp_path / "out"))
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert not (tmp_path / "out/stale.jsonl").exists()
