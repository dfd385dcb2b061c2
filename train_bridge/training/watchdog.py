"""Says which rank keeps the others waiting, and where it is: what a collective does not say when it gives up.

Every rank tells the store of the job where it is. One that has not moved for minutes looks where the others are, and if
none is further behind, it says so with the place in its program.
"""

import json
import sys
import threading
import time
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Literal, Protocol, Self

import torch.distributed as dist

from train_bridge.failures import write_error
from train_bridge.training.ranks import Ranks, job_store

Doing = Literal["reads its batch", "computes", "saves a checkpoint", "looks at held-out documents", "asks its tasks"]
LIMIT_S = 300.0
"""Before a rank that does not move is told of."""
NUM_LOOKS = 10
"""Times that a rank looks at the clock within the limit."""


class Store(Protocol):
    """What is used of ``torch.distributed.Store``."""

    def set(self, key: str, value: str) -> None:
        """Keep a value."""

    def get(self, key: str) -> bytes:
        """Return a value that is there."""

    def check(self, keys: list[str]) -> bool:
        """Say whether all are there."""


class Watchdog:
    """Watches the rank that it is opened in. ``at`` is called wherever a rank may have to wait, or to be waited for."""

    def __init__(
        self,
        ranks: Ranks,
        *,
        limit_s: float = LIMIT_S,
        store: Store | None = None,
        tell: Callable[[str], None] = write_error,
    ) -> None:
        """Watch nothing yet.

        Args:
            ranks: Of the job.
            limit_s: Seconds without a move.
            store: Of the job; by default that of the process group.
            tell: Takes what there is to say.
        """
        self._ranks, self._limit_s, self._tell = ranks, limit_s, tell
        self._store = store or job_store()
        self._moves, self._moved_s, self._told = (0, 0), time.monotonic(), False
        self._what = "starts"
        self._stop = threading.Event()
        self._main = threading.get_ident()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()

    def at(self, step: int, doing: Doing) -> None:
        """Note where this rank is: ranks that do the same steps make the same moves."""
        number = self._moves[1] + 1 if step == self._moves[0] else 1
        self._moves, self._what = (step, number), f"step {step}: {doing}"
        self._moved_s, self._told = time.monotonic(), False
        self._store.set(self._key(self._ranks.rank), json.dumps(self._moves))

    def _key(self, rank: int) -> str:
        return f"watchdog/{rank}"

    def _watch(self) -> None:
        while not self._stop.wait(self._limit_s / NUM_LOOKS):
            if not self._told and time.monotonic() - self._moved_s > self._limit_s:
                self._told = True
                self._look()

    def _look(self) -> None:
        try:
            others = [self._place_of(rank) for rank in range(self._ranks.world_size)]
        except (dist.DistError, RuntimeError):  # the store is gone, and with it the job
            return
        if min(others) < self._moves:
            return  # this one waits for them
        where = "".join(traceback.format_stack(sys._current_frames()[self._main]))  # noqa: SLF001 - of another thread
        self._tell(
            f"rank {self._ranks.rank} has not moved for {self._limit_s:.0f} s, and no rank is further behind; "
            f"{self._what}, in\n{where}"
        )

    def _place_of(self, rank: int) -> tuple[int, int]:
        key = self._key(rank)
        if not self._store.check([key]):
            return (-1, 0)
        step, number = json.loads(self._store.get(key))
        return (step, number)
