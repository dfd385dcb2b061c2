"""Leases of hosts' slots: a host gets no more requests at once from all workers together than from one.

The scheduler keeps a book of who holds how many slots of which host and answers asks in their order. A worker keeps a
slot while it has more URLs of that host, for a turn of `TURN_S`, so that a message is sent per turn and not per URL;
then the next worker has its turn. Messages travel on the streams that Dask keeps open between workers and scheduler.
When a worker dies Dask tells the scheduler, and its slots come back at once. A slot is held during one request only,
never while waiting for another host's, so workers cannot deadlock.
"""

import asyncio
import itertools
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from distributed import Scheduler, SchedulerPlugin, Worker, get_worker
from distributed.protocol.pickle import dumps

from curate.fetch.memory import process_memory
from curate.fetch.politeness.hosts import HostBook
from curate.fetch.politeness.slots import HostSlots, Slot

TURN_S = 2.0
"""How long a worker hands a slot on to its own URLs before others may have it."""

LINGER_S = 0.05
"""How long an unused slot is kept: after robots.txt comes the image."""

ROUTER = "curate-host-leases"
"""Name of the plugin on the scheduler and of the extension on workers."""

INSTALL_TIMEOUT_S = 60.0

Holder = tuple[str, int]
"""Worker address and number of its session."""


class LeaseBook:
    """Who holds slots of which host, and who waits. Plain bookkeeping: no clock, no network."""

    def __init__(self) -> None:
        self._held: defaultdict[str, Counter[Holder]] = defaultdict(Counter)
        self._waiting: defaultdict[str, deque[tuple[Holder, int]]] = defaultdict(deque)

    def ask(self, holder: Holder, host: str, *, limit: int) -> list[tuple[Holder, str]]:
        """Note a wish for one slot of a host that bears `limit`; return the grants that follow."""
        self._waiting[host].append((holder, limit))
        return self._grant(host)

    def give_back(self, holder: Holder, host: str) -> list[tuple[Holder, str]]:
        """Take one slot back; return the grants that follow."""
        held = self._held[host]
        if held[holder] <= 1:
            del held[holder]
        else:
            held[holder] -= 1
        return self._grant(host)

    def drop(self, worker: str, session: int | None = None) -> list[tuple[Holder, str]]:
        """Take back all that a session, or a whole worker, holds and asks for; return the grants that follow."""

        def is_dropped(holder: Holder) -> bool:
            return holder[0] == worker and session in {None, holder[1]}

        grants = []
        for host in list(self._held.keys() | self._waiting.keys()):
            for holder in [holder for holder in self._held[host] if is_dropped(holder)]:
                del self._held[host][holder]
            self._waiting[host] = deque(ask for ask in self._waiting[host] if not is_dropped(ask[0]))
            grants += self._grant(host)
        return grants

    def _grant(self, host: str) -> list[tuple[Holder, str]]:
        held, waiting, grants = self._held[host], self._waiting[host], []
        while waiting and held.total() < waiting[0][1]:
            holder, _ = waiting.popleft()
            held[holder] += 1
            grants.append((holder, host))
        if not waiting:
            del self._waiting[host]
        if not held:
            del self._held[host]
        return grants


class HostLeases(SchedulerPlugin):  # type: ignore[misc]  # distributed is untyped here
    """The book on the scheduler and the messages that open it."""

    name = ROUTER
    idempotent = True

    def __init__(self) -> None:
        self._book = LeaseBook()
        self._workers = set[str]()
        self._scheduler: Scheduler | None = None

    async def start(self, scheduler: Scheduler) -> None:
        """Begin to listen."""
        self._scheduler = scheduler
        scheduler.stream_handlers.update(
            {
                "host-lease-ask": self._ask,
                "host-lease-return": self._return,
                "host-lease-close": self._close,
                "host-lease-pause": self._pause,
            }
        )

    def remove_worker(self, scheduler: Scheduler, worker: str, **_: Any) -> None:  # noqa: ARG002 Dask's signature
        """Take back what a lost worker holds."""
        self._workers.discard(worker)
        self._send(self._book.drop(worker))

    def _ask(self, worker: str, session: int, host: str, limit: int) -> None:
        self._workers.add(worker)
        self._send(self._book.ask((worker, session), host, limit=limit))

    def _return(self, worker: str, session: int, host: str) -> None:
        self._send(self._book.give_back((worker, session), host))

    def _close(self, worker: str, session: int) -> None:
        self._send(self._book.drop(worker, session))

    def _pause(self, worker: str, host: str, wait_s: float) -> None:
        for other in self._workers - {worker}:
            self._tell(other, {"op": "host-lease-pause", "host": host, "wait_s": wait_s})

    def _send(self, grants: list[tuple[Holder, str]]) -> None:
        for (worker, session), host in grants:
            self._tell(worker, {"op": "host-lease-grant", "session": session, "host": host})

    def _tell(self, worker: str, message: dict[str, Any]) -> None:
        if self._scheduler is not None and worker in self._scheduler.stream_comms:
            self._scheduler.worker_send(worker, message)


class Router:
    """A worker's end of the streams: finds the session that a grant is for. Lives in the worker's event loop."""

    def __init__(self, worker: Worker, hosts: HostBook) -> None:
        self._worker = worker
        self._hosts = hosts
        self._sessions: dict[int, LeasedSlots] = {}
        self._numbers = itertools.count()
        worker.stream_handlers.update({"host-lease-grant": self._grant, "host-lease-pause": self._pause})

    def open(self, *, per_host: int) -> "LeasedSlots":
        """Begin a session."""
        session = LeasedSlots(self, next(self._numbers), per_host=per_host)
        self._sessions[session.number] = session
        return session

    def end(self, session: "LeasedSlots") -> None:
        """End a session: whatever it holds, and whatever is on its way to it, goes back."""
        del self._sessions[session.number]
        self.send({"op": "host-lease-close", "session": session.number})

    def send(self, message: dict[str, Any]) -> None:
        """Send a message to the scheduler, from any thread, in order."""
        self._worker.loop.asyncio_loop.call_soon_threadsafe(self._worker.batched_stream.send, message)

    def _grant(self, session: int, host: str) -> None:
        found = self._sessions.get(session)
        if found is not None:  # else it has been closed, and its slots have gone back
            found.receive(host)

    def _pause(self, host: str, wait_s: float) -> None:
        self._hosts.pause(host, time.monotonic() + wait_s)


@dataclass(eq=False, slots=True)
class _LeasedSlot(Slot):
    turn_ends_s: float = 0.0


@dataclass(slots=True)
class _Host:
    """What a session knows of one host."""

    waiting: deque[asyncio.Future[Slot]] = field(default_factory=deque)
    idle: deque[_LeasedSlot] = field(default_factory=deque)
    """Slots that are held and not used."""
    num_asked: int = 0


class LeasedSlots:
    """See `HostSlots`; one fetch call's share of what hosts bear."""

    def __init__(self, router: Router, number: int, *, per_host: int) -> None:
        self.number = number
        self._router = router
        self._per_host = per_host
        self._hosts: defaultdict[str, _Host] = defaultdict(_Host)
        self._loop: asyncio.AbstractEventLoop | None = None

    async def acquire(self, host: str) -> Slot:
        """See `HostSlots.acquire`."""
        here = self._hosts[host]
        if here.idle:
            return here.idle.popleft()
        self._loop = asyncio.get_running_loop()
        turn: asyncio.Future[Slot] = self._loop.create_future()
        here.waiting.append(turn)
        self._ask(host, here)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release(turn.result())
            raise

    def release(self, slot: Slot) -> None:
        """See `HostSlots.release`."""
        here = self._hosts[slot.host]
        if slot.is_last or not isinstance(slot, _LeasedSlot):
            self._give_back(slot.host)
            self._ask(slot.host, here)
        else:
            slot.is_last = time.monotonic() >= slot.turn_ends_s
            self._hand_on(slot, here)

    def tell_pause(self, host: str, wait_s: float) -> None:
        """See `HostSlots.tell_pause`."""
        self._router.send({"op": "host-lease-pause", "host": host, "wait_s": wait_s})

    def receive(self, host: str) -> None:
        """Take a granted slot; called in the worker's event loop."""
        loop = self._loop
        if loop is not None and not loop.is_closed():  # a closed loop's session is about to be closed
            loop.call_soon_threadsafe(self._receive, host)

    def _receive(self, host: str) -> None:
        here = self._hosts[host]
        here.num_asked -= 1
        self._hand_on(_LeasedSlot(host, turn_ends_s=time.monotonic() + TURN_S), here)

    def _hand_on(self, slot: _LeasedSlot, here: _Host) -> None:
        while here.waiting:
            turn = here.waiting.popleft()
            if not turn.done():
                turn.set_result(slot)
                return
        here.idle.append(slot)
        asyncio.get_running_loop().call_later(LINGER_S, self._give_idle_back, slot, here)

    def _give_idle_back(self, slot: _LeasedSlot, here: _Host) -> None:
        if slot in here.idle:
            here.idle.remove(slot)
            self._give_back(slot.host)

    def _give_back(self, host: str) -> None:
        self._router.send({"op": "host-lease-return", "session": self.number, "host": host})

    def _ask(self, host: str, here: _Host) -> None:
        wanted = min(len(here.waiting), self._per_host)
        while here.num_asked < wanted:
            here.num_asked += 1
            message = {"op": "host-lease-ask", "session": self.number, "host": host, "limit": self._per_host}
            self._router.send(message)


_installing = threading.Lock()


@contextmanager
def leased_slots(*, per_host: int) -> Iterator[HostSlots | None]:
    """Share hosts with the cluster's other workers while the block runs.

    Args:
        per_host: Requests in flight to one host, of all workers together.

    Yields:
        Slots for a fetch call; None outside of a Dask task, where this process fetches alone.
    """
    try:
        worker = get_worker()
    except ValueError:
        yield None
        return
    router = _router(worker)
    session = router.open(per_host=per_host)
    try:
        yield session
    finally:
        router.end(session)


def _router(worker: Worker) -> Router:
    """Return a worker's router; the first one of a cluster brings the book to the scheduler."""
    with _installing:
        router: Router | None = worker.extensions.get(ROUTER)
        if router is None:
            register = worker.scheduler.register_scheduler_plugin(
                plugin=dumps(HostLeases()), name=ROUTER, idempotent=True
            )
            future = asyncio.run_coroutine_threadsafe(register, worker.loop.asyncio_loop)
            future.result(INSTALL_TIMEOUT_S)
            router = worker.extensions[ROUTER] = Router(worker, process_memory().hosts)
        return router
