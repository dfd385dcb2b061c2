import gzip
import io
import zipfile
from pathlib import Path

import fsspec
import pytest

from curate.ingest.files.streams import gunzip, list_members, open_binary, strip_compression


def test_open_binary_reads_fsspec_urls() -> None:
    with fsspec.open("memory://ingest/a.txt", "wb") as stream:
        stream.write(b"one\ntwo\n")
    with open_binary("memory://ingest/a.txt") as stream:
        assert stream.readline(10) == b"one\n"


def test_open_binary_leaves_compressed_bytes_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"text"))
    with open_binary(str(path)) as stream:
        assert stream.read(2) == b"\x1f\x8b"


def test_open_binary_raises_for_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), open_binary(str(tmp_path / "none")):
        pass


def test_gunzip_reads_concatenated_streams_as_one() -> None:
    content = gzip.compress(b"one\n") + gzip.compress(b"two\n")
    assert gunzip(io.BytesIO(content)).read() == b"one\ntwo\n"


def test_list_members_skips_folders_and_resource_forks() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in ("b.jsonl", "folder/", "__MACOSX/._b.jsonl", "a.jsonl"):
            archive.writestr(name, "")
        assert [member.filename for member in list_members(archive)] == ["b.jsonl", "a.jsonl"]


@pytest.mark.parametrize(
    ("name", "parts"),
    [("a.jsonl.gz", ("a.jsonl", "gz")), ("A.ZIP", ("A", "zip")), ("a.txt", ("a.txt", "")), ("gz", ("gz", ""))],
)
def test_strip_compression(name: str, parts: tuple[str, str]) -> None:
    assert strip_compression(name) == parts
