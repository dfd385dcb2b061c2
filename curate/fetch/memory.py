"""What a worker process remembers from one call to the next: sites' rules, hosts' patience, names' addresses."""

import functools
from dataclasses import dataclass, field

from curate.fetch.network.resolver import AddressCache
from curate.fetch.optouts.origins import OriginStore
from curate.fetch.optouts.robots import Rules
from curate.fetch.optouts.tdmrep import Reservation
from curate.fetch.politeness.hosts import HostBook


@dataclass(frozen=True, kw_only=True, slots=True)
class Memory:
    """Safe in threads; bounded in size and age. Tests bring a fresh one."""

    rules: OriginStore[Rules] = field(default_factory=OriginStore)
    reservations: OriginStore[tuple[Reservation, ...]] = field(default_factory=OriginStore)
    hosts: HostBook = field(default_factory=HostBook)
    addresses: AddressCache = field(default_factory=AddressCache)


@functools.cache
def process_memory() -> Memory:
    """Return the memory of this process."""
    return Memory()
