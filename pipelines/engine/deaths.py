"""Why a worker died: it ran out of memory, which is nobody's fault alone, or it crashed, which some document causes."""

import signal
import time
from contextlib import suppress
from enum import StrEnum
from typing import Any

from distributed import Client, KilledWorker, Nanny
from distributed.core import Status

EXIT_TOPIC = "curate-worker-exit"
MEMORY_TOPIC = "worker-restart-memory"
"""Under which Dask's nannies tell that they end a worker because it is over its limit."""

PATIENCE_S = 2.0
"""How long the news of an exit may take; a nanny of another kind tells none."""
INTERVAL_S = 0.05


class Death(StrEnum):
    """What ended a worker."""

    MEMORY = "memory"
    CRASH = "crash"


class TellingNanny(Nanny):  # type: ignore[misc]  # distributed is untyped here
    """A nanny that tells how its worker process ended."""

    def _on_worker_exit_sync(self, exitcode: int | None) -> None:
        if exitcode and self.status == Status.running:
            with suppress(RuntimeError):  # the nanny is being closed
                self.log_event(EXIT_TOPIC, {"worker": self.worker_address, "exitcode": exitcode})
        super()._on_worker_exit_sync(exitcode)


def cause_of(client: Client, error: KilledWorker) -> Death:
    """Return what ended the last worker of a task.

    A process that was ended by signal 9 has not done so itself: the system does it to the largest one when memory is
    short.
    """
    if error.last_worker is None:
        return Death.CRASH
    address, deadline_s = error.last_worker.address, time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline_s:
        if _told(client, MEMORY_TOPIC, address):
            return Death.MEMORY
        exits = _told(client, EXIT_TOPIC, address)
        if exits:
            return Death.MEMORY if exits[-1]["exitcode"] == -signal.SIGKILL else Death.CRASH
        time.sleep(INTERVAL_S)
    return Death.CRASH


def _told(client: Client, topic: str, address: str) -> list[dict[str, Any]]:
    return [event for _, event in client.get_events(topic) if event["worker"] == address]
