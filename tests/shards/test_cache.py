import fcntl
import hashlib
import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import fsspec
import pytest

from shards.cache import CacheSettings, ShardCache
from shards.reader import ShardReader, read_index

DEADLINE_S = 60
NAMES = ["00000.tar", "00001.tar"]


@pytest.fixture
def remote(shard_set: Path) -> Iterator[str]:
    folder = f"memory://cache-{hashlib.sha256(str(shard_set).encode()).hexdigest()[:8]}"
    fsspec.filesystem("memory").put(str(shard_set), folder.removeprefix("memory:/"), recursive=True)
    yield folder
    fsspec.filesystem("memory").rm(folder.removeprefix("memory:/"), recursive=True)


def settings(folder: Path, max_bytes: int = 10**9) -> CacheSettings:
    return CacheSettings(folder=str(folder), max_bytes=max_bytes)


def wait_for(found: Callable[[], bool]) -> None:
    end_s = time.monotonic() + DEADLINE_S
    while not found():
        assert time.monotonic() < end_s
        time.sleep(0.01)


def fetched(cache: ShardCache) -> list[str]:
    """Ask for every shard, wait until all downloads are over, and return what is there."""
    paths = [cache.find(name) for name in NAMES]
    cache._pool.submit(int).result(DEADLINE_S)
    return [name for name, path in zip(NAMES, paths, strict=True) if path or cache.find(name)]


def test_shards_come_in_the_background_and_are_what_was_written(remote: str, shard_set: Path, tmp_path: Path) -> None:
    cache = ShardCache(remote, settings(tmp_path / "kept"))
    assert cache.find("00000.tar") is None
    assert fetched(cache) == NAMES
    path = cache.find("00001.tar")
    assert path is not None
    assert Path(path).read_bytes() == (shard_set / "00001.tar").read_bytes()
    assert cache.find("00007.tar") is None
    cache.close()
    assert ShardCache(remote, settings(tmp_path / "kept")).find("00000.tar") is not None


def test_what_does_not_fit_is_not_kept_and_nothing_is_deleted(remote: str, shard_set: Path, tmp_path: Path) -> None:
    mine = tmp_path / "kept" / "my own.txt"
    mine.parent.mkdir()
    mine.write_bytes(bytes(1000))
    sizes = [(shard_set / name).stat().st_size for name in NAMES]
    room_for_one = ShardCache(remote, settings(mine.parent, 1000 + max(sizes)))
    assert len(fetched(room_for_one)) == 1
    room_for_none = ShardCache(remote, settings(mine.parent, 1000 + max(sizes)))
    assert len(fetched(room_for_none)) == 1
    assert mine.read_bytes() == bytes(1000)
    assert not list(mine.parent.rglob("*.partial"))


def test_a_reader_reads_on_from_what_is_kept(remote: str, shard_set: Path, tmp_path: Path) -> None:
    rows = read_index(remote).to_pylist()
    wanted = [sample.record for sample in ShardReader(str(shard_set)).read_many(rows)]
    with ShardReader(remote, cache=settings(tmp_path / "kept")) as reader:
        assert [reader.read(row).record for row in rows] == wanted
        kept = tmp_path / "kept"
        wait_for(lambda: len(list(kept.rglob("*.tar"))) == len(NAMES))
        for name in NAMES:
            fsspec.filesystem("memory").rm_file(f"{remote.removeprefix('memory:/')}/{name}")
        assert [reader.read(row).record for row in rows] == wanted


def test_a_kept_shard_that_was_cut_off_by_hand_is_read_where_it_was(remote: str, tmp_path: Path) -> None:
    rows = read_index(remote).to_pylist()
    cache = ShardCache(remote, settings(tmp_path / "kept"))
    assert fetched(cache) == NAMES
    for path in (tmp_path / "kept").rglob("*.tar"):
        path.write_bytes(b"")
    with ShardReader(remote) as plain, ShardReader(remote, cache=settings(tmp_path / "kept")) as reader:
        assert [reader.read(row) for row in rows] == [plain.read(row) for row in rows]


def test_a_download_that_is_not_what_the_manifest_says_is_thrown_away(remote: str, tmp_path: Path) -> None:
    memory, path = fsspec.filesystem("memory"), f"{remote.removeprefix('memory:/')}/00000.tar"
    data = bytearray(memory.cat_file(path))
    data[700] ^= 1
    memory.pipe_file(path, bytes(data))
    cache = ShardCache(remote, settings(tmp_path / "kept"))
    assert fetched(cache) == ["00001.tar"]
    assert not list((tmp_path / "kept").rglob("*.partial"))


def test_what_another_process_fetches_is_left_to_it(remote: str, tmp_path: Path) -> None:
    cache = ShardCache(remote, settings(tmp_path / "kept"))
    partial = cache._folder / "00000.tar.partial"
    with partial.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert fetched(cache) == ["00001.tar"]
        assert partial.exists()


def test_what_a_killed_process_left_is_fetched_anew(remote: str, tmp_path: Path) -> None:
    cache = ShardCache(remote, settings(tmp_path / "kept"))
    (cache._folder / "00000.tar.partial").write_bytes(b"half")
    assert fetched(cache) == NAMES


class HeldFile(io.BytesIO):
    """Gives one byte at a time, the first of them when it is told to."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.is_begun, self.may_go_on = threading.Event(), threading.Event()

    def read(self, size: int | None = -1) -> bytes:
        del size
        self.is_begun.set()
        assert self.may_go_on.wait(DEADLINE_S)
        return super().read(1)


def test_closing_stops_a_download(remote: str, shard_set: Path, tmp_path: Path) -> None:
    cache = ShardCache(remote, settings(tmp_path / "kept"))
    data = (shard_set / "00000.tar").read_bytes()
    held = HeldFile(data)
    cache._file_system = SimpleNamespace(open=lambda *_: held)
    cache.find("00000.tar")
    assert held.is_begun.wait(DEADLINE_S)
    closing = threading.Thread(target=cache.close)
    closing.start()
    wait_for(cache._stop.is_set)
    held.may_go_on.set()
    closing.join()
    assert cache.find("00001.tar") is None
    assert not list((tmp_path / "kept").rglob("*.tar*"))


def test_names_of_a_manifest_are_no_paths(remote: str, tmp_path: Path) -> None:
    memory, path = fsspec.filesystem("memory"), f"{remote.removeprefix('memory:/')}/manifest.json"
    manifest = json.loads(memory.cat_file(path))
    manifest["shards"][0]["name"] = "../../00000.tar"
    memory.pipe_file(path, json.dumps(manifest).encode())
    cache = ShardCache(remote, settings(tmp_path / "kept"))
    assert cache.find("../../00000.tar") is None
    assert fetched(cache) == ["00001.tar"]
