import pytest

from curate.ingest.files.file_formats import find_format, name_foreign


@pytest.mark.parametrize(
    ("name", "head", "found"),
    [
        ("a.csv", b"{", "csv"),
        ("a.TAB", b"", "tsv"),
        ("a", b"PAR1", "parquet"),
        ("a", b'  {"a"', "jsonl"),
        ("a.txt", b'[\n{"a"', "jsonl"),
        ("a.txt", b"http://a", "txt"),
        ("a.dat", b"http://a", None),
    ],
)
def test_format_by_name_or_content(name: str, head: bytes, found: str | None) -> None:
    assert find_format(name, head) == found


def test_what_no_reader_reads_is_named() -> None:
    tar = bytes(257) + b"ustar"
    assert (name_foreign(tar, is_binary=False) or "").startswith("a tar archive; parquet, csv")
    assert "git lfs pull" in (name_foreign(b"version https://git-lfs.github.com/spec/v1", is_binary=False) or "")
    assert name_foreign(b"url\0", is_binary=False) is None
    assert "neither compressed" in (name_foreign(b"url\0", is_binary=True) or "")
