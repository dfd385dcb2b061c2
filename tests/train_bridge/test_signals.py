import signal
import subprocess
import sys

import pytest

from train_bridge.signals import STOP_SIGNALS, started_deaf

WAITING = "import sys; print('ready', flush=True); sys.stdin.readline()"


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_what_is_started_deaf_does_not_hear_and_what_comes_later_does(number: signal.Signals) -> None:
    handlers = [signal.getsignal(each) for each in STOP_SIGNALS]
    for context, code in [(started_deaf(), 0), (None, -number)]:
        if context is not None:
            with context:
                process = start()
        else:
            process = start()
        process.send_signal(number)
        process.communicate("go on\n")
        assert process.returncode == code
    assert [signal.getsignal(each) for each in STOP_SIGNALS] == handlers


def start() -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", WAITING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process
