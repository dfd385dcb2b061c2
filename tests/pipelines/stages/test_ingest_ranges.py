import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from curate.contract.errors import CurateError
from curate.contract.reasons import Kind, Modality
from curate.contract.records import Document, Fault, Item
from curate.ingest.files.cuts import Span
from curate.ingest.files.line_ranges import Counted
from pipelines.run.context import RunContext
from pipelines.run.tables import DOCUMENTS
from pipelines.stages.ingest import InputFile, input_files
from pipelines.stages.ingest_ranges import Begun, FileRange, begin_file, count_range, cut_chunks, read_range
from tests.pipelines.corpus import make_context

SOURCES = "sources: [{name: s, type: mmc4, path: a.jsonl}]\nfetch: {contact: 'mailto:a@b.example'}\n"
NUM_LINES = 40


@pytest.fixture
def context(tmp_path: Path) -> RunContext:
    rows = [json.dumps({"url": f"http://h/{n:02d}", "text_list": ["t"], "image_info": []}) for n in range(NUM_LINES)]
    (tmp_path / "a.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    made = make_context(tmp_path / "run", "partition_num_docs: 4\nengine: {range_bytes: 1000}\n", sources=SOURCES)
    return replace(made, base=str(tmp_path))


@pytest.fixture
def file(context: RunContext) -> InputFile:
    return next(input_files(context))


@pytest.fixture
def begun(context: RunContext, file: InputFile) -> Begun:
    told = begin_file(context, file).found
    assert isinstance(told, Begun)
    return told


def part(number: int, begun: Begun, first: int, num: int | None) -> FileRange:
    span = begun.cut.spans[number]
    return FileRange(number=number, span=span, first_line=first + 1, first_record=first, num_records=num)


def test_a_large_file_is_told_and_not_read(begun: Begun, context: RunContext) -> None:
    assert len(begun.cut.spans) == 3
    assert context.folder.stamp(DOCUMENTS, "s-00000-00000") is None


def test_a_range_is_counted_once(context: RunContext, file: InputFile, begun: Begun) -> None:
    span = begun.cut.spans[0]
    first, again = (count_range(context, file, begun, 0, span) for _ in range(2))
    assert first.found == again.found == Counted(num_lines=14, num_records=14)
    assert (first.skipped, again.skipped) == (False, True)
    other = count_range(context, file, begun, 0, replace(span, end=100))
    assert (other.skipped, other.found) == (False, Counted(num_lines=2, num_records=2))


def test_a_partition_is_of_the_range_in_which_it_begins(context: RunContext, file: InputFile, begun: Begun) -> None:
    report = read_range(context, file, begun, part(1, begun, 14, 13))
    assert report.partitions == ("s-00000-00004", "s-00000-00005", "s-00000-00006")
    assert (report.found, report.counters) == (True, {"documents": 12})
    urls = context.folder.read(DOCUMENTS, "s-00000-00006")["url"].to_pylist()
    assert urls == [f"http://h/{n}" for n in range(24, 28)]
    again = read_range(context, file, begun, part(1, begun, 14, 13))
    assert (again.skipped, again.partitions) == (True, report.partitions)


@pytest.mark.parametrize("num_counted", [10, 12, 14, 20])
def test_a_range_that_was_counted_wrongly_says_so_and_writes_none_of_the_next(
    context: RunContext, file: InputFile, begun: Begun, num_counted: int
) -> None:
    report = read_range(context, file, begun, part(1, begun, 14, num_counted))
    assert report.found is False
    assert report.counters["not_as_counted"] == 1
    end = -(-(14 + num_counted) // 4)
    assert all(int(name[-5:]) < end for name in report.partitions)
    assert not read_range(context, file, begun, part(1, begun, 14, num_counted)).skipped


def test_a_range_that_broke_off_does_not_write_again_what_is_there(
    context: RunContext, file: InputFile, begun: Begun
) -> None:
    def break_off(partition: str) -> None:
        if partition == "s-00000-00002":
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        read_range(context, file, begun, part(0, begun, 0, 14), announce=break_off)
    path = Path(context.folder.path(DOCUMENTS, "s-00000-00002"))
    before = path.stat().st_mtime_ns
    report = read_range(context, file, begun, part(0, begun, 0, 14))
    assert (report.found, len(report.partitions), path.stat().st_mtime_ns) == (True, 4, before)


def test_a_file_that_is_gone_is_one_that_changed(context: RunContext, file: InputFile, begun: Begun) -> None:
    Path(file.path).unlink()
    with pytest.raises(CurateError, match=r"a\.jsonl: changed while it was read"):
        count_range(context, file, begun, 0, Span(start=0, end=9))
    with pytest.raises(CurateError, match=r"a\.jsonl: changed while it was read"):
        read_range(context, file, begun, part(0, begun, 0, 14))


def documents(num: int, image_bytes: bytes | None = None) -> Iterator[Document | Fault]:
    for number in range(num):
        item = Item(modality=Modality.IMAGE, image_url="held:", image_bytes=image_bytes)
        yield Document(native_id="", ordinal=f"a#{number}", kind=Kind.PAIR, items=(item,))


@pytest.mark.parametrize(
    ("num_before", "num_own", "num_behind", "sizes"),
    [
        (0, 8, 9, [4, 4]),
        (0, 9, 9, [4, 4, 4]),
        (3, 9, 9, [4, 4]),
        (3, 10, 9, [4, 4, 4]),
        (1, 3, 9, []),
        (1, 2, 9, []),
        (0, 5, 1, [4, 2]),
        (0, 0, 9, []),
    ],
)
def test_chunks_begin_in_a_range_at_every_so_many_documents(
    num_before: int, num_own: int, num_behind: int, sizes: list[int]
) -> None:
    chunks = cut_chunks(documents(num_own), documents(num_behind), num_before=num_before, num_docs=4)
    assert [len(chunk) for chunk in chunks] == sizes


def test_a_chunk_that_its_images_cut_short_is_none() -> None:
    large = documents(9, image_bytes=bytes(100 << 20))
    assert list(itertools.islice(cut_chunks(large, iter(()), num_before=0, num_docs=4), 1)) == [[]]
    assert [len(c) for c in cut_chunks(documents(3, bytes(100 << 20)), iter(()), num_before=0, num_docs=4)] == [3]
