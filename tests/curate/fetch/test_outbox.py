import asyncio
import threading

import pytest

from curate.fetch import outbox
from curate.fetch.outbox import FetchRow, Outbox


def row(number: int, size: int = 0) -> FetchRow:
    return {"number": number, "data": bytes(size) if size else None}


def numbers(batches: list[list[FetchRow]]) -> list[list[object]]:
    return [[one["number"] for one in batch] for batch in batches]


def test_rows_are_stored_in_batches_of_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "BATCH_BYTES", 100)
    batches: list[list[FetchRow]] = []

    async def main() -> None:
        async with Outbox(batches.append) as box:
            for number in range(7):
                await box.add(row(number, 40))

    asyncio.run(main())
    assert numbers(batches) == [[0, 1, 2], [3, 4, 5], [6]]


def test_rows_without_bytes_make_batches_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "BATCH_ROWS", 2)
    batches: list[list[FetchRow]] = []

    async def main() -> None:
        async with Outbox(batches.append) as box:
            for number in range(3):
                await box.add(row(number))

    asyncio.run(main())
    assert numbers(batches) == [[0, 1], [2]]


def test_a_row_does_not_wait_long_for_company(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "MIN_WAIT_S", 0.01)
    stored = threading.Event()

    async def main() -> None:
        async with Outbox(lambda _: stored.set()) as box:
            await box.add(row(0))
            async with asyncio.timeout(10):
                while not stored.is_set():  # noqa: ASYNC110 - set in another thread
                    await asyncio.sleep(0.01)

    asyncio.run(main())


def test_who_adds_to_a_full_batch_waits_for_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "BATCH_BYTES", 10)
    may_write, sizes = threading.Event(), list[int]()

    def store(rows: list[FetchRow]) -> None:
        may_write.wait(10)
        sizes.append(len(rows))

    async def main() -> None:
        async with Outbox(store) as box:
            first, second = (asyncio.create_task(box.add(row(number, 10))) for number in range(2))
            await asyncio.sleep(0.02)
            assert not first.done()
            assert not second.done()
            may_write.set()
            await asyncio.gather(first, second)

    asyncio.run(main())
    assert sizes == [1, 1]


def test_what_has_come_is_stored_when_another_call_fails() -> None:
    batches: list[list[FetchRow]] = []

    async def main() -> None:
        async with Outbox(batches.append) as box:
            await box.add(row(1))
            raise KeyError

    with pytest.raises(KeyError):
        asyncio.run(main())
    assert numbers(batches) == [[1]]


def test_a_store_that_fails_is_heard_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "MIN_WAIT_S", 0.01)

    def fail(_: list[FetchRow]) -> None:
        raise OSError("no space left")

    async def fill() -> None:
        async with Outbox(fail) as box:
            await box.add(row(0))

    async def go_on() -> None:
        async with Outbox(fail) as box:
            for number in range(1_000):
                await box.add(row(number))
                await asyncio.sleep(0.01)

    for main in (fill, go_on):
        with pytest.raises(OSError, match="no space left"):
            asyncio.run(main())
