import gzip
import io
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path

import fsspec
import pytest

from curate.ingest.files.streams import list_members, open_binary, open_member


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


def test_list_members_skips_folders_and_resource_forks() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in ("b.jsonl", "folder/", "__MACOSX/._b.jsonl", "a.jsonl"):
            archive.writestr(name, "")
        assert [member.filename for member in list_members(archive)] == ["b.jsonl", "a.jsonl"]


def test_a_damaged_member_gives_what_comes_before_the_damage() -> None:
    lines = b"".join(b"%d\n" % (i * 7919 % 104729) for i in range(20_000))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", lines)
    data = bytearray(file.getvalue())
    data[-2000:-1900] = bytes(100)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        read = bytearray()
        with open_member(archive, archive.infolist()[0]) as stream, suppress(zipfile.BadZipFile, zlib.error):
            while piece := stream.read1():
                read += piece
    assert len(read) > 90_000
    assert lines.startswith(read[:80_000])
