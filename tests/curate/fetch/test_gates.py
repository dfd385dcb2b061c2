import asyncio

import pytest

from curate.contract.reasons import FetchStatus
from curate.fetch.errors import FetchError
from curate.fetch.gates import ByteGate, ByteLease, Clock, HostGates


def most_at_once(hosts: list[str], *, per_host: int, total: int) -> int:
    active = most = 0

    async def use(gates: HostGates, host: str) -> None:
        nonlocal active, most
        async with gates.slot(host):
            active += 1
            most = max(most, active)
            await asyncio.sleep(0)
            active -= 1

    async def main() -> None:
        gates = HostGates(per_host=per_host, total=total)
        await asyncio.gather(*(use(gates, host) for host in hosts))

    asyncio.run(main())
    return most


def test_slots_per_host_and_in_total() -> None:
    assert most_at_once(["a"] * 9, per_host=2, total=8) == 2
    assert most_at_once(["a", "b", "c"] * 3, per_host=2, total=8) == 6
    assert most_at_once(["a", "b", "c"] * 3, per_host=2, total=3) == 3


def test_a_crowd_at_one_host_holds_up_no_other() -> None:
    async def main() -> None:
        gates = HostGates(per_host=1, total=2)
        release = asyncio.Event()

        async def hold() -> None:
            async with gates.slot("slow"):
                await release.wait()

        crowd = [asyncio.create_task(hold()) for _ in range(9)]
        await asyncio.sleep(0)
        async with asyncio.timeout(1), gates.slot("quick"):
            release.set()
        await asyncio.gather(*crowd)

    asyncio.run(main())


def test_bytes_wait_for_room() -> None:
    async def main() -> None:
        gate = ByteGate(100)
        first, second, huge = ByteLease(gate), ByteLease(gate), ByteLease(gate)
        await first.reserve(60)
        waiting = asyncio.create_task(second.reserve(41))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        await first.settle(59)
        await waiting
        assert gate.used_bytes == 100
        await second.settle(500)  # it has grown already
        assert gate.used_bytes == 559
        await first.release()
        await second.release()
        await second.release()
        await huge.reserve(1_000)  # alone, anything fits
        assert gate.used_bytes == 1_000
        await huge.reserve(5)
        assert gate.used_bytes == 5

    asyncio.run(main())


def test_the_clock_runs_inside_its_block_only() -> None:
    async def main() -> None:
        clock = Clock(timeout_s=0.05, max_wait_s=1)
        async with clock.running():
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        assert not clock.expired
        with pytest.raises(FetchError) as caught:
            async with clock.running():
                await asyncio.sleep(1)
        assert caught.value.status == FetchStatus.TIMEOUT
        assert clock.expired

    asyncio.run(main())


def test_waits_are_counted() -> None:
    clock = Clock(timeout_s=1, max_wait_s=1)
    asyncio.run(clock.wait(0.01))
    assert clock.wait_left_s == pytest.approx(0.99)
