import asyncio
import time

import pytest

from curate.contract.reasons import FetchStatus
from curate.fetch.errors import FetchError, HostGivenUpError
from curate.fetch.politeness.host_gates import HostGates
from curate.fetch.politeness.hosts import HostBook, HostLimits
from curate.fetch.politeness.limits import Gate
from curate.fetch.politeness.slots import OwnSlots, Slot

REFUSED = FetchError(FetchStatus.CONNECT_ERROR, "refused")


def gates(
    *, per_host: int = 2, total: int = 8, slots: OwnSlots | None = None, dead_after: int = 2, dead_for_s: float = 600
) -> HostGates:
    limits = HostLimits(per_host=per_host, max_wait_s=10, dead_after=dead_after, dead_for_s=dead_for_s)
    return HostGates(limits=limits, requests=Gate(total), book=HostBook(), slots=slots or OwnSlots())


def most_at_once(hosts: list[str], *, per_host: int, total: int) -> int:
    active = most = 0

    async def use(shared: HostGates, host: str) -> None:
        nonlocal active, most
        async with shared.turn(host):
            active += 1
            most = max(most, active)
            await asyncio.sleep(0)
            active -= 1

    async def main() -> None:
        shared = gates(per_host=per_host, total=total)
        await asyncio.gather(*(use(shared, host) for host in hosts))

    asyncio.run(main())
    return most


def test_slots_per_host_and_in_total() -> None:
    assert most_at_once(["a"] * 9, per_host=2, total=8) == 2
    assert most_at_once(["a", "b", "c"] * 3, per_host=2, total=8) == 6
    assert most_at_once(["a", "b", "c"] * 3, per_host=2, total=3) == 3


def test_a_crowd_at_one_host_holds_up_no_other() -> None:
    async def main() -> None:
        shared, release = gates(per_host=1, total=2), asyncio.Event()

        async def hold() -> None:
            async with shared.turn("slow"):
                await release.wait()

        crowd = [asyncio.create_task(hold()) for _ in range(9)]
        await asyncio.sleep(0)
        async with shared.turn("quick"):
            release.set()
        await asyncio.gather(*crowd)

    asyncio.run(main())


def test_who_has_waited_before_goes_first_and_who_leaves_holds_up_nobody() -> None:
    async def main() -> None:
        shared, order = gates(per_host=1), list[str]()

        async def use(name: str, *, first: bool = False) -> None:
            async with shared.turn("h", first=first):
                order.append(name)
                await asyncio.sleep(0.001)

        async with asyncio.TaskGroup() as group:
            group.create_task(use("a"))
            group.create_task(use("b"))
            leaving = group.create_task(use("never"))
            await asyncio.sleep(0)
            group.create_task(use("again", first=True))
            leaving.cancel()
        assert order == ["a", "again", "b"]

    asyncio.run(main())


def test_connections_are_kept_while_enough_wait() -> None:
    async def main() -> None:
        shared, last = gates(per_host=2), list[bool]()

        async def use() -> None:
            async with shared.turn("h") as turn:
                await asyncio.sleep(0.001)
                last.append(turn.is_last)

        await asyncio.gather(*(use() for _ in range(6)))
        assert last[-2:] == [True, True]
        assert not any(last[:2])

    asyncio.run(main())


def test_a_pause_holds_those_that_wait_and_those_that_had_their_turn() -> None:
    class LateSlots(OwnSlots):
        async def acquire(self, host: str) -> Slot:
            await asyncio.sleep(0.02)
            return Slot(host)

        def tell_pause(self, host: str, wait_s: float) -> None:
            told.append((host, wait_s))

    told = list[tuple[str, float]]()
    refusal = FetchError(FetchStatus.HTTP_429, "HTTP 429", 429, 0.1)

    async def main() -> None:
        shared, started_s = gates(per_host=2, slots=LateSlots()), list[float]()

        async def use() -> None:
            async with shared.turn("h") as turn:
                started_s.append(time.monotonic())
                if len(started_s) == 1:
                    turn.answered(refusal)

        await use()
        await asyncio.gather(*(use() for _ in range(3)))
        assert started_s[1] - started_s[0] >= 0.1
        assert told == [("h", 0.1)]

    asyncio.run(main())


def test_a_dead_host_ends_at_once_for_all_that_wait() -> None:
    async def main() -> None:
        shared, num_asked = gates(per_host=1, dead_after=2), 0

        async def use() -> None:
            nonlocal num_asked
            async with shared.turn("h") as turn:
                num_asked += 1
                turn.failed(REFUSED, was_answered=False)

        results = await asyncio.gather(*(use() for _ in range(9)), return_exceptions=True)
        given_up = [result for result in results if isinstance(result, HostGivenUpError)]
        assert (num_asked, len(given_up)) == (2, 7)
        assert given_up[0].status == FetchStatus.CONNECT_ERROR

    asyncio.run(main())


def test_a_probe_finds_a_dead_host_alive_again() -> None:
    async def main() -> None:
        shared = gates(dead_after=1, dead_for_s=0.05)
        async with shared.turn("h") as turn:
            turn.failed(REFUSED, was_answered=False)
        await asyncio.sleep(0.06)
        async with shared.turn("h") as turn:
            turn.answered(None)
        async with shared.turn("h"):
            pass

    asyncio.run(main())


def test_time_outs_after_an_answer_do_not_kill() -> None:
    async def main() -> None:
        shared = gates(dead_after=1)
        for _ in range(3):
            async with shared.turn("h") as turn:
                turn.failed(FetchError(FetchStatus.TIMEOUT, "slow"), was_answered=True)
        async with shared.turn("h") as turn:
            turn.failed(FetchError(FetchStatus.TIMEOUT, "slow"), was_answered=False)
        with pytest.raises(HostGivenUpError):
            await use(shared)

    async def use(shared: HostGates) -> None:
        async with shared.turn("h"):
            pass

    asyncio.run(main())
