from pathlib import Path

import fsspec
import numpy as np
import pyarrow as pa
import pytest

from curate.contract.errors import CurateError, SchemaError
from pipelines.run.splits import is_split_written, read_all, read_part, read_parts, write_split

SCHEMA = pa.schema([pa.field("image", pa.int64(), nullable=False), pa.field("name", pa.string())])


def rows_of(*images: int) -> pa.Table:
    return pa.table([pa.array(images, pa.int64()), pa.array([f"i{n}" for n in images], pa.string())], schema=SCHEMA)


def write(path: Path | str, *pairs: tuple[int, int], num_parts: int = 4, made_from: str = "v1") -> str:
    """Write rows given as (image, part)."""
    images, parts = [image for image, _ in pairs], [part for _, part in pairs]
    write_split(
        str(path),
        rows_of(*images),
        np.array(parts, dtype=np.int64),
        num_parts=num_parts,
        schema=SCHEMA,
        made_from=made_from,
    )
    return str(path)


def images(table: pa.Table) -> list[int]:
    found: list[int] = table["image"].to_pylist()
    return found


def test_each_part_is_read_alone_and_keeps_its_order(tmp_path: Path) -> None:
    path = write(tmp_path / "deep" / "a.arrow", (9, 2), (1, 0), (8, 2), (2, 0), (7, 2))
    assert [images(read_part(path, part)) for part in range(4)] == [[1, 2], [], [9, 8, 7], []]
    part = read_part(path, 2)
    assert part["name"].to_pylist() == ["i9", "i8", "i7"]
    assert part.schema.equals(SCHEMA, check_metadata=True)
    assert read_part(path, 3).schema.equals(SCHEMA, check_metadata=True)
    assert [one.name for one in (tmp_path / "deep").iterdir()] == ["a.arrow"]


@pytest.mark.parametrize("num_parts", [0, 1, 3])
def test_a_file_without_rows_has_its_parts(tmp_path: Path, num_parts: int) -> None:
    path = write(tmp_path / "a.arrow", num_parts=num_parts)
    assert [read_part(path, part).num_rows for part in range(num_parts)] == [0] * num_parts
    assert read_all([path], schema=SCHEMA).num_rows == 0
    assert is_split_written(path, "v1")


def test_tables_of_many_chunks_and_slices_are_divided_too(tmp_path: Path) -> None:
    rows = pa.concat_tables([rows_of(0, 1, 2).slice(1), rows_of(), rows_of(3, 4)])
    path = str(tmp_path / "a.arrow")
    write_split(path, rows, np.array([1, 0, 1, 0]), num_parts=2, schema=SCHEMA, made_from="v1")
    assert [images(read_part(path, part)) for part in (0, 1)] == [[2, 4], [1, 3]]


def test_many_parts_in_one_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    parts = rng.integers(0, 3000, 5000)
    path = write(tmp_path / "a.arrow", *enumerate(parts.tolist()), num_parts=3000)
    for part in (0, 1, 1234, 2999):
        assert images(read_part(path, part)) == np.flatnonzero(parts == part).tolist()
    assert images(read_all([path], schema=SCHEMA)) == np.argsort(parts, kind="stable").tolist()


def test_one_part_of_several_files_and_all_of_them(tmp_path: Path) -> None:
    paths = [write(tmp_path / "a", (5, 1), (4, 0)), write(tmp_path / "b"), write(tmp_path / "c", (3, 1))]
    assert images(read_parts(paths, 1, schema=SCHEMA)) == [5, 3]
    assert images(read_all(paths, schema=SCHEMA)) == [4, 5, 3]
    for nothing in (read_parts([], 1, schema=SCHEMA), read_all([], schema=SCHEMA)):
        assert nothing.equals(SCHEMA.empty_table())


def test_the_same_rows_are_the_same_bytes_and_go_wherever_fsspec_goes(tmp_path: Path) -> None:
    local = write(tmp_path / "a.arrow", (1, 1), (2, 0))
    remote = write("memory://split-test/a.arrow", (1, 1), (2, 0))
    assert images(read_part(remote, 1)) == [1]
    with fsspec.open(remote, "rb") as file:
        assert file.read() == Path(local).read_bytes()
    fsspec.filesystem("memory").rm("/split-test", recursive=True)


def test_a_file_is_there_only_if_it_was_made_from_this(tmp_path: Path) -> None:
    path = write(tmp_path / "a.arrow", (1, 1))
    assert is_split_written(path, "v1")
    assert not is_split_written(path, "v2")
    assert not is_split_written(str(tmp_path / "none.arrow"), "v1")
    write(path, (1, 1), made_from="v2")
    assert is_split_written(path, "v2")


@pytest.mark.parametrize("damage", ["cut", "empty", "other", "flipped"])
def test_a_damaged_file_is_named_and_counts_as_missing(tmp_path: Path, damage: str) -> None:
    path = write(tmp_path / "a.arrow", *((n, n % 4) for n in range(100)))
    whole = Path(path).read_bytes()
    flipped = whole[:-60] + bytes(byte ^ 255 for byte in whole[-60:-10]) + whole[-10:]
    damaged = {"cut": whole[: len(whole) // 2], "empty": b"", "other": b"ARROW1 it is not", "flipped": flipped}
    Path(path).write_bytes(damaged[damage])
    assert not is_split_written(path, "v1")
    with pytest.raises(CurateError, match=r"a\.arrow: cannot be read .*remove it and run again to make it anew"):
        read_part(path, 0)
    with pytest.raises(CurateError, match=r"a\.arrow: cannot be read"):
        read_all([path], schema=SCHEMA)


@pytest.mark.parametrize("length", range(0, 900, 31))
def test_wherever_a_file_is_cut_it_is_told(tmp_path: Path, length: int) -> None:
    path = write(tmp_path / "a.arrow", *((n, n % 4) for n in range(100)))
    whole = Path(path).read_bytes()
    Path(path).write_bytes(whole[:length] + bytes(len(whole) - length))
    with pytest.raises(CurateError, match=r"a\.arrow: cannot be read"):
        read_all([path], schema=SCHEMA)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CurateError, match=r"none\.arrow: cannot be read"):
        read_part(str(tmp_path / "none.arrow"), 0)
    there = write(tmp_path / "a.arrow", (1, 0))
    both = [there, str(tmp_path / "none.arrow")]
    with pytest.raises(CurateError, match=r"none\.arrow: cannot be read"):
        read_parts(both, 0, schema=SCHEMA)
    with pytest.raises(CurateError, match=r"none\.arrow: cannot be read"):
        read_all(both, schema=SCHEMA)


def test_a_part_that_the_file_does_not_have_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "a.arrow", (1, 0), num_parts=2)
    with pytest.raises(CurateError, match=r"a\.arrow: cannot be read"):
        read_part(path, 2)


def test_rows_of_another_schema_are_refused_and_leave_no_file(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"a\.arrow"):
        write_split(
            str(tmp_path / "a.arrow"),
            pa.table({"image": [1]}),
            np.zeros(1, np.int64),
            num_parts=1,
            schema=SCHEMA,
            made_from="v1",
        )
    assert list(tmp_path.iterdir()) == []
