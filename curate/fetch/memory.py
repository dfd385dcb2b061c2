"""What a worker process remembers from one call to the next: sites' rules, hosts' patience, names' addresses.

It also holds what the calls that run at the same time share: the gates.
"""

import functools
from dataclasses import dataclass, field

from curate.fetch.network.resolver import AddressCache
from curate.fetch.optouts.origins import OriginStore
from curate.fetch.optouts.robots import Rules
from curate.fetch.optouts.tdmrep import Reservation
from curate.fetch.politeness.hosts import HostBook
from curate.fetch.politeness.limits import Gates


@dataclass(frozen=True, kw_only=True, slots=True)
class Memory:
    """Safe in threads; bounded in size and age. Tests bring a fresh one."""

    rules: OriginStore[Rules] = field(default_factory=OriginStore)
    reservations: OriginStore[tuple[Reservation, ...]] = field(default_factory=OriginStore)
    hosts: HostBook = field(default_factory=HostBook)
    addresses: AddressCache = field(default_factory=AddressCache)
    gates: Gates = field(default_factory=Gates)


@functools.cache
def process_memory() -> Memory:
    """Return the memory of this process."""
    return Memory()
