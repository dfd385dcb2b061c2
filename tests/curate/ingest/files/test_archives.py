import bz2
import gzip
from pathlib import Path

import pytest

from curate.ingest.files.archives import open_archive


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lambda data: gzip.compress(gzip.compress(data))])
def test_compression_is_told_by_content(tmp_path: Path, pack: object) -> None:
    path = tmp_path / "file.warc"
    path.write_bytes(pack(b"content" * 100))  # type: ignore[operator]
    with open_archive(str(path)) as stream:
        assert stream.read() == b"content" * 100


def test_a_missing_file_is_told_as_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), open_archive(str(tmp_path / "none")):
        pass
