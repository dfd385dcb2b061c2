import socket
from dataclasses import replace
from pathlib import Path

import pytest

from curate.contract.errors import CurateError
from train_bridge.training.ranks import joined_ranks
from train_bridge.training.shared_output import check_shared_output


def test_a_folder_that_all_see_is_left_as_it_was(tmp_path: Path) -> None:
    with joined_ranks() as ranks:
        check_shared_output(str(tmp_path / "new"), ranks=ranks)
    assert list((tmp_path / "new").iterdir()) == []


def test_a_machine_that_sees_another_folder_is_named(tmp_path: Path) -> None:
    with joined_ranks() as ranks, pytest.raises(CurateError, match=rf"{socket.gethostname()} \(rank 1\) is not the"):
        check_shared_output(str(tmp_path), ranks=replace(ranks, rank=1), patience_s=0.1)


def test_a_folder_that_cannot_be_written_is_an_error_of_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with joined_ranks() as ranks, pytest.raises(CurateError, match="file"):
        check_shared_output(str(tmp_path / "file" / "out"), ranks=ranks)
