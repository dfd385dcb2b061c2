import errno
import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from curate.contract.errors import ShardError
from shards.storage import atomic_path, is_local, open_atomic, open_folder, remove_file, write_bytes


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


def test_a_path_is_written_by_others_and_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "file"
    with atomic_path(str(target)) as local:
        local.write_bytes(b"abc")
        assert local.parent == target.parent
        assert not target.exists()
    assert target.read_bytes() == b"abc"
    assert target.stat().st_mode & 0o777 == 0o644
    with pytest.raises(FileNotFoundError), atomic_path(str(target)):
        pass  # a writer that wrote nothing
    assert target.read_bytes() == b"abc"
    assert list(target.parent.iterdir()) == [target]


def test_two_writers_of_one_file_never_meet(tmp_path: Path) -> None:
    target = str(tmp_path / "file")
    with atomic_path(target) as first, atomic_path(target) as second:
        first.write_bytes(b"1")
        second.write_bytes(b"2")
    assert Path(target).read_bytes() == b"1"


@pytest.mark.parametrize("folder", ["", "memory://storage-test-2"])
def test_a_file_is_removed_if_it_is_there(tmp_path: Path, folder: str) -> None:
    path = f"{folder or tmp_path}/file"
    for _ in range(2):
        remove_file(path)
        write_bytes(path, b"abc")
    remove_file(path)
    file_system, root = open_folder(path)
    assert not file_system.exists(root)


def test_folders_are_named_without_a_slash_at_the_end(tmp_path: Path) -> None:
    file_system, root = open_folder(f"{tmp_path}/")
    assert root == str(tmp_path)
    assert is_local(file_system)
    assert not is_local(open_folder("memory://x/")[0])


def write_and_fail(path: str, error: OSError | None = None) -> None:
    with open_atomic(path) as file:
        file.write(b"half")
        raise error or OSError("disk full")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_said_once_and_leaves_nothing(tmp_path: Path, code: int) -> None:
    with pytest.raises(ShardError, match=f"no space left on the disk of {tmp_path}; free some and run again"):
        write_and_fail(str(tmp_path / "file"), OSError(code, "full"))
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a file system of 256 KiB, which only root may mount."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_real_full_disk_leaves_what_fitted(tiny_disk: Path) -> None:
    write_bytes(str(tiny_disk / "small"), b"a" * 1000)
    with pytest.raises(ShardError, match="no space left"):
        write_bytes(str(tiny_disk / "large"), b"a" * 1_000_000)
    assert [path.name for path in tiny_disk.iterdir()] == ["small"]
    write_bytes(str(tiny_disk / "next"), b"a" * 1000)


def test_s3_takes_as_many_connections_as_reads_are_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    assert open_folder("s3://bucket/set")[0].config_kwargs == {"max_pool_connections": 64}
    monkeypatch.setitem(fsspec.config.conf, "s3", {"config_kwargs": {"max_pool_connections": 5}})
    assert open_folder("s3://bucket/set")[0].config_kwargs == {"max_pool_connections": 5}
