from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from curate.contract.schemas import table_from_rows
from pipelines.run import segments, tables
from pipelines.run.segments import SegmentWriter, is_current, load_segments
from tests.pipelines.corpus import probe
from tests.pipelines.run.stored_images import DOC_IDS, P, commit, image, in_order, open_run, segment_files, shuffled

IMAGES = [image(doc_id, position) for doc_id in DOC_IDS for position in range(3)]


@pytest.mark.parametrize(("seed", "batch_size"), [(0, 12), (1, 1), (2, 5)])
def test_content_does_not_tell_how_it_came(tmp_path: Path, seed: int, batch_size: int) -> None:
    digests = set()
    for name, batches in {"a": [IMAGES], "b": shuffled(IMAGES, seed, batch_size)}.items():
        context = open_run(tmp_path / name)
        commit(context, batches)
        rows = context.folder.read(tables.IMAGES, P)
        assert list(zip(rows["doc_id"].to_pylist(), rows["position"].to_pylist(), strict=True)) == in_order(IMAGES)
        digests.add(context.folder.digest(tables.IMAGES, P))
    assert len(digests) == 1
    later = open_run(tmp_path / "later")
    commit(later, [[row | {"fetched_at": datetime(2026, 1, 1, tzinfo=UTC)} for row in IMAGES]])
    assert later.folder.digest(tables.IMAGES, P) in digests
    changed = open_run(tmp_path / "changed")
    commit(changed, [[*IMAGES[1:], image(DOC_IDS[0], 0, data=b"other")]])
    assert changed.folder.digest(tables.IMAGES, P) not in digests


def test_a_later_row_of_the_same_url_replaces_an_earlier_one(tmp_path: Path) -> None:
    context = open_run(tmp_path)
    commit(context, [[image("d1", 0, status="timeout"), image("d1", 1)], [image("d1", 0), image("d1", 1, url="x")]])
    rows, num_damaged = load_segments(context.folder, tables.IMAGES, P)
    assert num_damaged == 0
    urls = zip(rows["image_url"].to_pylist(), rows["status"].to_pylist(), rows["note"].to_pylist(), strict=True)
    assert sorted(urls) == [("d1/0", "ok", "policy"), ("d1/1", "ok", "policy"), ("x", "ok", "policy")]
    assert context.folder.read(tables.IMAGES, P)["image_url"].to_pylist() == ["d1/0", "x"]


def test_a_lost_or_cut_segment_is_noticed(tmp_path: Path) -> None:
    context = open_run(tmp_path)
    commit(context, [[image("d1", 0)], [image("d2", 0)]])
    assert is_current(context.folder, tables.IMAGES, P, "wanted")
    assert not is_current(context.folder, tables.IMAGES, P, "something else")
    first, second = segment_files(context)
    whole = first.read_bytes()
    first.write_bytes(whole[:-1])
    assert not is_current(context.folder, tables.IMAGES, P, "wanted")
    first.write_bytes(whole)
    second.unlink()
    assert not is_current(context.folder, tables.IMAGES, P, "wanted")


def test_what_is_added_meanwhile_does_not_disturb_the_index(tmp_path: Path) -> None:
    context = open_run(tmp_path)
    commit(context, [[image("d1", 0)]])
    SegmentWriter(context.folder, tables.IMAGES, P, note="")(table_from_rows([image("d2", 0)], tables.IMAGES.schema))
    assert is_current(context.folder, tables.IMAGES, P, "wanted")
    assert context.folder.read(tables.IMAGES, P).num_rows == 1


def test_large_tables_are_cut_into_files_of_bounded_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "SEGMENT_BYTES", 10)
    context = open_run(tmp_path)
    commit(context, [[image("d1", place, data=b"x" * 4) for place in range(5)]])
    assert len(segment_files(context)) == 3
    names = [path.name[:5] for path in segment_files(context)]
    assert names == ["00000", "00001", "00002"]


def test_what_is_being_written_is_no_segment(tmp_path: Path) -> None:
    context = open_run(tmp_path)
    commit(context, [[image("d1", 0)]])
    (segment_files(context)[0].parent / ".00001-aa.parquet.bb.partial").write_bytes(b"half")
    (segment_files(context)[0].parent / ".00001-aa.parquet").write_bytes(b"half")
    assert len(context.folder.parts(tables.IMAGES, P)) == 1


def test_segments_go_wherever_fsspec_goes(tmp_path: Path) -> None:
    context = open_run(tmp_path)
    remote = type(context.folder)("memory://segments-test")
    assert remote.parts(tables.IMAGES, P) == {}
    SegmentWriter(remote, tables.IMAGES, P, note="n")(table_from_rows(IMAGES, tables.IMAGES.schema))
    rows, _ = load_segments(remote, tables.IMAGES, P)
    assert rows.num_rows == len(IMAGES)
    assert isinstance(rows, pa.Table)


def test_a_probe_commits_nothing(tmp_path: Path) -> None:
    context = open_run(tmp_path)
    commit(context, [IMAGES])
    files = segment_files(context)
    aside = probe(context, "d1")
    SegmentWriter(aside.folder, tables.IMAGES, P, note="")(table_from_rows(IMAGES, tables.IMAGES.schema))
    assert segment_files(context) == files
    assert load_segments(aside.folder, tables.IMAGES, P)[0].num_rows == 3
