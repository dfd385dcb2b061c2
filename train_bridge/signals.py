"""The signals by which a scheduler asks a job to stop, and who does not listen to them."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

STOP_SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
"""What Kubernetes and SLURM send before they end a job, to every process of it."""


def ignore_stop_signals() -> None:
    """Make this process deaf to the signals that stop a job, whatever a library has set up."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def started_deaf() -> Iterator[None]:
    """Let processes that are started inside the block ignore the signals that stop a job.

    A loader that ended at once would take its rank down in the middle of a step; so it goes on reading until its rank,
    which saves first, ends it. What is ignored stays so in children.
    """
    before = {number: signal.signal(number, signal.SIG_IGN) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
