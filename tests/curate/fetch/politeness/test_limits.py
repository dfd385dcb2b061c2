import asyncio
import contextlib
import selectors
import threading

import pytest

from curate.contract.reasons import FetchStatus
from curate.fetch.errors import FetchError
from curate.fetch.politeness.limits import ByteLease, Clock, Gate, Gates


def test_bytes_wait_for_room() -> None:
    async def main() -> None:
        gate = Gate(100)
        first, second, huge = ByteLease(gate), ByteLease(gate), ByteLease(gate)
        await first.reserve(60)
        waiting = asyncio.create_task(second.reserve(41))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        first.settle(59)
        await waiting
        assert gate._used == 100
        second.settle(500)  # it has grown already
        assert gate._used == 559
        first.release()
        second.release()
        second.release()
        await huge.reserve(1_000)  # alone, anything fits
        assert gate._used == 1_000
        await huge.reserve(5)
        assert gate._used == 5

    asyncio.run(main())


def test_turns_come_in_order_and_who_leaves_takes_none() -> None:
    async def main() -> None:
        gate = Gate(100)
        holder, large, gone, small = (ByteLease(gate) for _ in range(4))
        await holder.reserve(60)
        waiting = [asyncio.create_task(lease.reserve(size)) for lease, size in ((large, 90), (gone, 90), (small, 10))]
        await asyncio.sleep(0.01)
        assert not any(task.done() for task in waiting)  # the small one would fit, but the large one would starve
        waiting[1].cancel()
        holder.release()
        await asyncio.gather(waiting[0], waiting[2])
        assert gate._used == 100
        last = asyncio.create_task(holder.reserve(50))
        await asyncio.sleep(0.01)
        large.release()
        last.cancel()  # its turn has come, but it does not know yet
        await asyncio.wait({last})
        assert gate._used == 10

    asyncio.run(main())


def test_what_grows_never_waits() -> None:
    async def main() -> None:
        gate = Gate(100)
        first, second = ByteLease(gate), ByteLease(gate)
        await first.reserve(10)
        assert first.try_grow(1_000)  # alone, anything fits
        first.settle(50)
        await second.reserve(20)
        assert first.try_grow(30)
        assert gate._used == 70
        assert first.try_grow(80)
        assert not first.try_grow(81)
        assert not second.try_grow(21)
        assert gate._used == 100
        first.release()
        second.release()
        assert gate._used == 0

    asyncio.run(main())


class SkippingSelector(selectors.DefaultSelector):
    """Waits for nothing: where a loop would sleep, its time moves on."""

    now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.now_s += timeout or 0.0
        return super().select(0)


class SkippingLoop(asyncio.SelectorEventLoop):
    """A loop whose time passes in sleeps only, whatever else the machine does."""

    def __init__(self) -> None:
        self._skipping = SkippingSelector()
        super().__init__(self._skipping)

    def time(self) -> float:
        return self._skipping.now_s


def test_the_clock_runs_inside_its_block_only() -> None:
    async def main() -> None:
        clock = Clock(timeout_s=5, max_wait_s=1)
        async with clock.running():
            await asyncio.sleep(3)
        await asyncio.sleep(100)
        assert not clock.expired
        with pytest.raises(FetchError) as caught:
            async with clock.running():
                await asyncio.sleep(3)
        assert caught.value.status == FetchStatus.TIMEOUT
        assert clock.expired
        assert asyncio.get_running_loop().time() == pytest.approx(105)

    with asyncio.Runner(loop_factory=SkippingLoop) as runner:
        runner.run(main())


def test_waits_are_counted() -> None:
    clock = Clock(timeout_s=1, max_wait_s=1)
    asyncio.run(clock.wait(0.01))
    assert clock.wait_left_s == pytest.approx(0.99)


def test_loops_in_several_threads_share_a_gate() -> None:
    gate, lock, ready = Gate(3), threading.Lock(), threading.Barrier(4)
    now, most, done = 0, 0, 0

    async def hold() -> None:
        nonlocal now, most, done
        await gate.take()
        try:
            with lock:
                now += 1
                most = max(most, now)
            await asyncio.sleep(0.001)
        finally:
            with lock:
                now -= 1
                done += 1
            gate.give()

    async def main() -> None:
        ready.wait(10)
        await asyncio.gather(*(hold() for _ in range(50)))

    threads = [threading.Thread(target=lambda: asyncio.run(main())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most, done, gate._used) == (3, 200, 0)


def test_a_loop_that_ends_while_it_waits_keeps_nothing() -> None:
    gate = Gate(1)

    async def wait_in_vain() -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.01):
                await gate.take()

    async def main() -> None:
        await gate.take()
        await asyncio.to_thread(lambda: asyncio.run(wait_in_vain()))
        waiting = asyncio.create_task(gate.take())
        await asyncio.sleep(0)
        gate.give()
        await waiting

    asyncio.run(main())
    assert gate._used == 1


def test_gates_are_found_by_name_and_limit() -> None:
    gates = Gates()
    assert gates.get("requests", 4) is gates.get("requests", 4)
    assert gates.get("requests", 4) is not gates.get("requests", 5)
    assert gates.get("requests", 4) is not gates.get("bytes", 4)
