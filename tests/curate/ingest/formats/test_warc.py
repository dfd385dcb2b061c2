import gzip
from pathlib import Path

from curate.contract.reasons import IngestReason, Kind
from curate.contract.records import Document, Fault
from curate.ingest.config import WarcSource
from curate.ingest.readers import read_archived_pages, read_file
from tests.curate.ingest.files.test_warc import record


def test_a_page_says_where_it_was_archived(tmp_path: Path) -> None:
    path = tmp_path / "a.warc.gz"
    path.write_bytes(gzip.compress(record("http://h/1")) + gzip.compress(record("http://h/2")))
    source = WarcSource(name="s", path=str(path))
    first, second = read_file(str(path), source=source, label="a.warc.gz")
    assert isinstance(first, Document)
    assert isinstance(second, Document)
    assert (first.native_id, first.url, first.kind) == ("http://h/1", "http://h/1", Kind.INTERLEAVED)
    assert first.meta["warc"] == {
        "file": "a.warc.gz",
        "date": "2026-11-01T10:00:00Z",
        "digest": "sha1:ABC",
        "record_id": "<urn:uuid:10>",
    }
    assert second.ordinal == "a.warc.gz#2"


def test_a_missing_file_is_a_fault(tmp_path: Path) -> None:
    source = WarcSource(name="s", path="none.warc")
    (fault,) = read_archived_pages(str(tmp_path / "none.warc"), source=source, label="none.warc")
    assert isinstance(fault, Fault)
    assert fault.reason == IngestReason.MISSING_FILE
