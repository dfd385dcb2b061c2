"""One fetch call: an event loop, a client, and a task for every distinct URL."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import TypeVar

import uvloop

from curate.fetch.client import FetchClient
from curate.fetch.config import FetchConfig
from curate.fetch.memory import Memory, process_memory
from curate.fetch.network.aiohttp_transport import AiohttpTransport
from curate.fetch.network.transport import Transport
from curate.fetch.politeness.slots import HostSlots, OwnSlots

T = TypeVar("T")


def run_loop(main: Coroutine[object, object, T]) -> T:
    """Run a coroutine on an event loop of its own; works in any thread that has no running loop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


@asynccontextmanager
async def open_client(
    config: FetchConfig, *, transport: Transport | None = None, slots: HostSlots | None = None
) -> AsyncIterator[FetchClient]:
    """Open a client for one call.

    Args:
        config: Its limits.
        transport: Injected by tests, closed by their owner, and given a memory of its own; None is the network.
        slots: Shares each host's connections with other processes; None fetches alone.
    """
    slots = slots or OwnSlots()
    if transport is not None:
        yield FetchClient(transport, config=config, memory=Memory(), slots=slots)
        return
    memory = process_memory()
    network = AiohttpTransport(config, addresses=memory.addresses)
    try:
        yield FetchClient(network, config=config, memory=memory, slots=slots)
    finally:
        await network.close()


async def fetch_each(urls: Iterable[str], fetch_one: Callable[[str], Coroutine[object, object, None]]) -> None:
    """Fetch every distinct URL, all at once within the client's limits.

    Raises:
        Exception: The first that a call raised; the others are ended.
    """
    try:
        async with asyncio.TaskGroup() as group:
            for url in dict.fromkeys(urls):
                group.create_task(fetch_one(url))
    except ExceptionGroup as faults:
        raise faults.exceptions[0] from faults
