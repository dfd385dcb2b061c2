import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from shards.descriptors import Descriptors


def write_files(folder: Path, number: int) -> list[str]:
    paths = [folder / str(i) for i in range(number)]
    for i, path in enumerate(paths):
        path.write_bytes(bytes([i]) * 8)
    return [str(path) for path in paths]


def num_open(folder: Path) -> int:
    links = [Path("/proc/self/fd", name) for name in os.listdir("/proc/self/fd")]  # noqa: PTH208 - some are gone by now
    return sum(os.path.realpath(link).startswith(f"{folder}/") for link in links)


def test_a_file_is_opened_once_for_reads_one_after_another(tmp_path: Path) -> None:
    (path,) = write_files(tmp_path, 1)
    files = Descriptors()
    with files.borrow(path) as first:
        pass
    with files.borrow(path) as second:
        assert first == second
    files.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(first)


def test_two_readers_at_once_hold_one_each(tmp_path: Path) -> None:
    (path,) = write_files(tmp_path, 1)
    files = Descriptors()
    with files.borrow(path) as first, files.borrow(path) as second:
        assert first != second
    files.close()


def test_few_files_stay_open_and_the_oldest_are_closed_first(tmp_path: Path) -> None:
    paths = write_files(tmp_path, 40)
    files = Descriptors(max_open=4)
    for path in paths:
        with files.borrow(path) as descriptor:
            assert os.pread(descriptor, 1, 0) == bytes([int(Path(path).name)])
    assert num_open(tmp_path) == 4
    os.truncate(paths[-1], 0)
    with files.borrow(paths[-1]):
        assert num_open(tmp_path) == 4
    files.close()
    assert num_open(tmp_path) == 0


def test_nobody_reads_another_file_than_asked_for(tmp_path: Path) -> None:
    paths = write_files(tmp_path, 16)
    files = Descriptors(max_open=2)
    barrier = threading.Barrier(8)

    def read_all(start: int) -> bool:
        barrier.wait()
        right = True
        for i in range(400):
            place = (start * 5 + i * 7) % len(paths)
            with files.borrow(paths[place]) as descriptor:
                right &= os.pread(descriptor, 8, 0) == bytes([place]) * 8
        return right

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read_all, range(8)))
    files.close()


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), Descriptors().borrow(str(tmp_path / "gone")):
        pass
