from pathlib import Path

import pytest

from curate.contract.errors import CurateError
from pipelines.run import tables
from pipelines.run.drop_rows import drop_rows
from pipelines.run.folder import read_stamp
from pipelines.run.segments import is_current
from pipelines.run.stored import iterate_rows, read_rows
from tests.pipelines.corpus import write
from tests.pipelines.run.stored_images import P, all_rows, commit, image, open_run, segment_files

SECRET = b"a picture that has to go" * 10
OTHER = b"a picture that may stay" * 10


def test_bytes_of_dropped_rows_are_gone_from_every_segment(tmp_path: Path) -> None:
    context = open_run(tmp_path)
    commit(context, [[image("d1", 0, data=SECRET), image("d2", 0, data=OTHER)], [image("d3", 0, data=OTHER)]])
    first, second = segment_files(context)
    stamp, untouched = read_stamp(str(first)), second.stat().st_mtime_ns
    assert drop_rows(context, tables.IMAGES, P, {("d1", 0), ("nobody", 0)}) == 1
    assert SECRET not in b"".join(path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file())
    rows = all_rows(list(iterate_rows(context, tables.IMAGES, P, columns=["doc_id", "data"])))
    assert rows == [{"doc_id": "d3", "data": OTHER}, {"doc_id": "d2", "data": OTHER}]
    assert (read_stamp(str(first)), second.stat().st_mtime_ns) == (stamp, untouched)
    assert not is_current(context.folder, tables.IMAGES, P, "wanted")
    assert drop_rows(context, tables.IMAGES, P, {("d1", 0)}) == 0


def test_what_another_url_has_replaced_goes_too(tmp_path: Path) -> None:
    context = open_run(tmp_path)
    commit(context, [[image("d1", 0, data=SECRET)], [image("d1", 0, data=OTHER, url="x")]])
    assert drop_rows(context, tables.IMAGES, P, {("d1", 0)}) == 2
    assert SECRET not in b"".join(path.read_bytes() for path in segment_files(context))
    assert read_rows(context, tables.IMAGES, P).num_rows == 0


def test_rows_of_a_file_of_an_earlier_version_are_dropped(tmp_path: Path) -> None:
    context = open_run(tmp_path)
    write(context, tables.IMAGES, P, [image("d1", 0, data=SECRET), image("d2", 0, data=OTHER)])
    assert drop_rows(context, tables.IMAGES, P, {("d1", 0)}) == 1
    assert read_rows(context, tables.IMAGES, P)["doc_id"].to_pylist() == ["d2"]


def test_an_interrupted_call_brings_nothing_back_and_may_be_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = open_run(tmp_path)
    commit(context, [[image("d1", 0, data=SECRET), image("d2", 0, data=OTHER)], [image("d3", 0, data=SECRET)]])
    keys = {("d1", 0), ("d3", 0)}

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pipelines.run.drop_rows.write_index", stop)
    with pytest.raises(KeyboardInterrupt):
        drop_rows(context, tables.IMAGES, P, keys)
    assert not is_current(context.folder, tables.IMAGES, P, "wanted")
    with pytest.raises(CurateError, match="it has no row"):
        list(iterate_rows(context, tables.IMAGES, P, columns=["data"]))
