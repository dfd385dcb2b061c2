import hashlib
from pathlib import Path

import fsspec
import pytest

from shards.storage import is_local, open_atomic, open_folder, write_bytes


def test_a_file_appears_whole_with_its_hash(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "file"
    with open_atomic(str(target)) as file:
        file.write(b"ab")
        file.write(b"c")
        assert not target.exists()
    assert target.read_bytes() == b"abc"
    assert (file.num_bytes, file.sha256_hex()) == (3, hashlib.sha256(b"abc").hexdigest())
    assert [path.name for path in target.parent.iterdir()] == ["file"]


def test_after_an_error_the_old_file_stands_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"old")
    with pytest.raises(OSError, match="full"):
        write_and_fail(str(target))
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_remote_file_is_put_at_the_end() -> None:
    write_bytes("memory://storage-test/a/file", b"abc")
    file_system = fsspec.filesystem("memory")
    assert file_system.cat_file("/storage-test/a/file") == b"abc"
    with pytest.raises(OSError, match="full"):
        write_and_fail("memory://storage-test/a/other")
    assert not file_system.exists("/storage-test/a/other")


def test_folders_are_named_without_a_slash_at_the_end(tmp_path: Path) -> None:
    file_system, root = open_folder(f"{tmp_path}/")
    assert root == str(tmp_path)
    assert is_local(file_system)
    assert not is_local(open_folder("memory://x/")[0])


def write_and_fail(path: str) -> None:
    with open_atomic(path) as file:
        file.write(b"half")
        raise OSError("disk full")
