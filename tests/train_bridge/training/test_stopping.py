import signal
from pathlib import Path

import pytest

from train_bridge.training.stopping import STOP_FILE_VARIABLE, StopRequest


def test_sigterm_is_a_request_while_open() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with StopRequest() as request:
        assert not request.asked()
        signal.raise_signal(signal.SIGTERM)  # to this thread: it has come when the call returns
        assert request.asked()
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_file_is_a_request_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STOP_FILE_VARIABLE, str(tmp_path / "stop"))
    request = StopRequest()
    assert not request.asked()
    (tmp_path / "stop").touch()
    assert request.asked()
