"""How a run is asked to stop: SIGTERM, SIGUSR1, or a file that the launcher makes when it gets one of them."""

import os
import signal
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

from train_bridge.signals import STOP_SIGNALS

STOP_FILE_VARIABLE = "TRAIN_BRIDGE_STOP_FILE"
"""Environment variable with the path of that file."""


class StopRequest:
    """Turns signals into a flag while open, so that a step ends and is saved."""

    def __init__(self) -> None:
        self._asked = False
        self._file = os.environ.get(STOP_FILE_VARIABLE)

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._note) for number in STOP_SIGNALS}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self._asked = True

    def asked(self) -> bool:
        """Say whether a signal or the file has come."""
        return self._asked or (self._file is not None and Path(self._file).exists())
