from pathlib import Path

import pytest

from curate.contract.reasons import IngestReason, Kind
from curate.contract.records import Document, Fault
from curate.ingest.config import PagesSource, SamePage, WarcSource
from curate.ingest.formats.repeats import drop_repeats
from curate.ingest.readers import read_file
from tests.curate.ingest.files.test_warc import record

URLS = (
    "http://h/p?utm_source=a",
    "http://h/q",
    "http://H/p?utm_source=a#top",
    "http://h/p",
    "http://h/p?id=1",
    "http://h/p?id=1&gclid=2",
)


def pages(*urls: str | None) -> list[Document | Fault]:
    kind = Kind.INTERLEAVED
    return [
        Document(native_id=url or "", ordinal=f"a#b.txt#{number}", kind=kind, url=url)
        for number, url in enumerate(urls, start=1)
    ]


def rejected(records: list[Document | Fault], *, by: SamePage | None, num_remembered: int = 99) -> list[int]:
    found = list(drop_repeats(records, by=by, num_remembered=num_remembered))
    assert len(found) == len(records)
    return [number for number, record in enumerate(found) if isinstance(record, Fault)]


@pytest.mark.parametrize(("by", "gone"), [(None, []), ("url", [2]), ("tracking", [2, 3, 5])])
def test_the_first_of_a_page_s_urls_stays(by: SamePage | None, gone: list[int]) -> None:
    assert rejected(pages(*URLS), by=by) == gone


def test_what_is_dropped_says_where_it_stood() -> None:
    _, fault = drop_repeats(pages("http://h/p", "http://h/p#x"), by="url")
    assert fault == Fault(
        ordinal="a#b.txt#2",
        reason=IngestReason.REPEATED_PAGE,
        detail="a#b.txt:2: a page that has come before: http://h/p",
    )


def test_faults_and_pages_without_a_url_pass() -> None:
    fault = Fault(ordinal="a#1", reason=IngestReason.MALFORMED_RECORD, detail="x")
    assert rejected([fault, fault, *pages(None, None, "\ud800", "\ud800")], by="url") == [0, 1, 5]


def test_memory_is_bounded_and_the_latest_are_remembered() -> None:
    urls = [f"http://h/{number}" for number in (1, 2, 3, 1, 3, 2)]
    assert rejected(pages(*urls), by="url", num_remembered=2) == [4]


def test_sources_take_a_page_once(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\n".join(URLS), encoding="utf-8")
    failed = record(URLS[0], status="301 Moved Permanently")
    (tmp_path / "a.warc").write_bytes(b"".join([failed, *(record(url) for url in URLS)]))
    listed = PagesSource(name="s", path="a.txt", same_page="tracking")
    archived = WarcSource(name="s", path="a.warc", same_page="tracking")
    for source, urls in ((listed, URLS), (archived, (URLS[0], *URLS))):
        found = read_file(str(tmp_path / source.path), source=source, label=source.path)
        kept = [one.url if isinstance(one, Document) else None for one in found]
        gone = {len(urls) - 4, len(urls) - 3, len(urls) - 1}
        assert kept == [None if number in gone else url for number, url in enumerate(urls)]
