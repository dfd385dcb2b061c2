import asyncio

from curate.fetch.politeness.slots import HostSlots, OwnSlots, Slot


def test_a_process_alone_grants_every_slot_at_once() -> None:
    slots: HostSlots = OwnSlots()

    async def main() -> list[Slot]:
        return [await slots.acquire("h") for _ in range(9)]

    granted = asyncio.run(main())
    assert [(slot.host, slot.is_last) for slot in granted] == [("h", False)] * 9
    for slot in granted:
        slots.release(slot)
    slots.tell_pause("h", 1.0)
