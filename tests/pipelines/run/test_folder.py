from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.contract.errors import CurateError, SchemaError
from curate.contract.reasons import Stage
from curate.contract.schemas import IMAGES, URL_COUNTS, table_from_rows
from pipelines.run.folder import (
    BYTES_ROW_GROUP,
    RunFolder,
    digest_of,
    fingerprint,
    read_json,
    read_stamp,
    read_table,
    remove_folder,
    write_json,
    write_table,
    write_text,
)
from pipelines.run.tables import IMAGES as IMAGE_TABLE
from pipelines.run.tables import Table

TABLE = table_from_rows([{"doc_id": "d", "position": 0, "url_count": 2}], URL_COUNTS)


def everything_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_paths_join_local_folders_and_urls() -> None:
    assert RunFolder("runs/x").path(IMAGE_TABLE, "mmc4-00000-00000") == "runs/x/fetch/images/mmc4-00000-00000.parquet"
    assert RunFolder("s3://bucket/x").file("logs", "events.jsonl") == "s3://bucket/x/logs/events.jsonl"


def test_fingerprint_changes_with_everything_that_matters_and_nothing_else() -> None:
    same = fingerprint("text", 1, {"a": 1, "b": 2}, ["x", "y"])
    assert same == fingerprint("text", 1, {"b": 2, "a": 1}, ("x", "y"))
    others = {
        fingerprint("image", 1, {"a": 1, "b": 2}, ["x", "y"]),
        fingerprint("text", 2, {"a": 1, "b": 2}, ["x", "y"]),
        fingerprint("text", 1, {"a": 1, "b": 3}, ["x", "y"]),
        fingerprint("text", 1, {"a": 1, "b": 2}, ["y", "x"]),
        fingerprint("text", 1, {"a": 1, "b": 2}, ["xy"]),
    }
    assert len(others | {same}) == 6


def test_digest_is_of_the_content_not_of_its_chunks_or_stamps() -> None:
    halves = pa.concat_tables([TABLE, TABLE])
    assert digest_of(halves) == digest_of(halves.combine_chunks().replace_schema_metadata({"a": "b"}))
    assert digest_of(TABLE) != digest_of(halves)
    assert digest_of(TABLE.slice(0, 0)) == digest_of(URL_COUNTS.empty_table())


def test_a_table_and_its_stamp_survive(tmp_path: Path) -> None:
    path = f"{tmp_path}/deep/below/counts.parquet"
    stamp = write_table(path, TABLE, schema=URL_COUNTS, made_from="abc", note="a note")
    assert (stamp.fingerprint, stamp.digest, stamp.note) == ("abc", digest_of(TABLE), "a note")
    assert read_stamp(path) == stamp
    read = read_table(path)
    assert read.equals(TABLE)
    assert read.schema.metadata is None
    assert read_table(path, columns=["url_count"]).column_names == ["url_count"]
    assert everything_in(tmp_path) == ["counts.parquet"]


def test_the_same_table_is_the_same_file(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_table(f"{tmp_path}/{name}", TABLE, schema=URL_COUNTS, made_from="abc")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_tables_go_wherever_fsspec_goes() -> None:
    path = "memory://run-folder-test/counts.parquet"
    stamp = write_table(path, TABLE, schema=URL_COUNTS, made_from="abc")
    assert read_stamp(path) == stamp
    assert read_table(path).equals(TABLE)
    write_json("memory://run-folder-test/a.json", {"a": "é"})
    assert read_json("memory://run-folder-test/a.json") == {"a": "é"}
    fsspec.filesystem("memory").rm("/run-folder-test", recursive=True)


def test_a_table_of_another_schema_is_refused_and_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"counts\.parquet"):
        write_table(f"{tmp_path}/counts.parquet", TABLE, schema=IMAGES, made_from="abc")
    assert everything_in(tmp_path) == []


def test_others_may_read_what_is_written(tmp_path: Path) -> None:
    write_text(f"{tmp_path}/note.txt", "x")
    assert (tmp_path / "note.txt").stat().st_mode & 0o777 == 0o644


def test_images_lie_in_small_row_groups_and_are_read_without_their_bytes(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"doc_id": "d", "position": n, "image_url": "u", "status": "ok", "data": b"x" * 10}
        for n in range(BYTES_ROW_GROUP + 1)
    ]
    path = f"{tmp_path}/images.parquet"
    write_table(path, table_from_rows(rows, IMAGES), schema=IMAGES, made_from="abc")
    assert pq.ParquetFile(path).num_row_groups == 2
    assert read_table(path)["data"][BYTES_ROW_GROUP].as_py() == b"x" * 10


def test_a_missing_table_has_no_stamp_and_reading_it_names_the_remedy(tmp_path: Path) -> None:
    path = f"{tmp_path}/none.parquet"
    assert read_stamp(path) is None
    with pytest.raises(CurateError, match=r"none\.parquet: cannot be read .*run the same recipe again"):
        read_table(path)
    with pytest.raises(CurateError, match=r"none\.parquet: missing or damaged; run the same recipe again"):
        RunFolder(str(tmp_path)).digest(Table(place="none", schema=URL_COUNTS, stage=Stage.COUNT_URLS))


@pytest.mark.parametrize("damage", ["cut", "empty", "other", "no stamp"])
def test_a_damaged_table_has_no_stamp(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "counts.parquet"
    write_table(str(path), TABLE, schema=URL_COUNTS, made_from="abc")
    whole = path.read_bytes()
    if damage == "no stamp":
        pq.write_table(TABLE, path)
    else:
        path.write_bytes({"cut": whole[: len(whole) // 2], "empty": b"", "other": b"hello, this is no parquet"}[damage])
        with pytest.raises(CurateError, match=r"counts\.parquet: cannot be read"):
            read_table(str(path))
    assert read_stamp(str(path)) is None


def test_json_is_written_for_people_and_read_back(tmp_path: Path) -> None:
    path = f"{tmp_path}/state.json"
    write_json(path, {"b": 1, "a": "größer"})
    assert Path(path).read_text(encoding="utf-8") == '{\n  "a": "größer",\n  "b": 1\n}\n'
    assert read_json(path) == {"a": "größer", "b": 1}
    assert read_json(f"{tmp_path}/none.json") is None


@pytest.mark.parametrize("content", [b"{", b"", b"\xff\xfe{}"])
def test_json_that_is_none_is_an_error_of_ours(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state.json").write_bytes(content)
    with pytest.raises(CurateError, match=r"state\.json: not valid JSON"):
        read_json(f"{tmp_path}/state.json")


def test_a_folder_is_removed_with_all_that_is_in_it(tmp_path: Path) -> None:
    for root in (str(tmp_path), "memory://remove-test"):
        write_text(f"{root}/gone/deep/a.txt", "x")
        write_text(f"{root}/stays.txt", "x")
        remove_folder(f"{root}/gone")
        remove_folder(f"{root}/gone")
        remove_folder(f"{root}/never")
        file_system, path = fsspec.url_to_fs(root)
        assert [one.rpartition("/")[2] for one in file_system.find(path)] == ["stays.txt"]
    fsspec.filesystem("memory").rm("/remove-test", recursive=True)
