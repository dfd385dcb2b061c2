"""The seam through which several processes share what one host bears."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(eq=False, slots=True)
class Slot:
    """Leave to have one request in flight to a host."""

    host: str
    is_last: bool = False
    """It goes to another process after this request, which therefore closes its connection."""


class HostSlots(Protocol):
    """Slots of hosts, granted one request at a time. Used from one event loop."""

    async def acquire(self, host: str) -> Slot:
        """Wait for a slot. May be cancelled."""

    def release(self, slot: Slot) -> None:
        """Give a slot back, or to the next that waits here."""

    def tell_pause(self, host: str, wait_s: float) -> None:
        """Tell the other processes that a host wants no request for so many seconds."""


class OwnSlots:
    """The slots of a process that fetches alone: its own gates hold every limit."""

    async def acquire(self, host: str) -> Slot:
        """See `HostSlots.acquire`."""
        return Slot(host)

    def release(self, slot: Slot) -> None:
        """See `HostSlots.release`."""

    def tell_pause(self, host: str, wait_s: float) -> None:
        """See `HostSlots.tell_pause`."""
