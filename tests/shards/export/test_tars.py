import tarfile
from pathlib import Path

import pytest

from shards.export.tars import write_tar


def test_parts_keep_their_order_and_nothing_tells_the_time(tmp_path: Path) -> None:
    samples = [("a", {"jpg": b"1", "txt": b"22", "json": b"{}"}), ("b", {"json": b""})]
    assert write_tar(str(tmp_path / "x.tar"), samples) == 2
    assert write_tar(str(tmp_path / "y.tar"), iter(samples)) == 2
    assert (tmp_path / "x.tar").read_bytes() == (tmp_path / "y.tar").read_bytes()
    with tarfile.open(tmp_path / "x.tar") as tar:
        assert [(one.name, one.size, one.mtime) for one in tar] == [
            ("a.jpg", 1, 0),
            ("a.txt", 2, 0),
            ("a.json", 2, 0),
            ("b.json", 0, 0),
        ]


def test_no_samples_make_no_file(tmp_path: Path) -> None:
    assert write_tar(str(tmp_path / "x.tar"), []) == 0
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        write_tar(str(tmp_path / "x.tar"), ((str(1 // number), {"txt": b"a"}) for number in (1, 0)))
    assert list(tmp_path.iterdir()) == []
