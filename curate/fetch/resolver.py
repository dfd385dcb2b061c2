"""Host names to checked addresses; what is returned here is what is connected to."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

from aiohttp.abc import AbstractResolver, ResolveResult

from curate.contract.reasons import FetchStatus
from curate.fetch.addresses import AddressPolicy
from curate.fetch.errors import FetchError

Lookup = Callable[[str], Awaitable[list[str]]]
"""Host name to the text of its addresses; raises FetchError(DNS_ERROR)."""

DNS_THREADS = 32
"""getaddrinfo blocks, and slow name servers are the first bottleneck of a crawl over many hosts."""


class SystemLookup:
    """Asks the system's resolver, in threads of its own so that a slow name holds up nothing else."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(DNS_THREADS, thread_name_prefix="dns")

    async def __call__(self, host: str) -> list[str]:
        """Return the addresses of `host`, without repeats.

        Raises:
            FetchError: DNS_ERROR.
        """
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._threads, _lookup, host)
        except OSError as error:
            raise FetchError(FetchStatus.DNS_ERROR, f"{host}: {error.strerror}") from error
        except UnicodeError as error:  # empty or overlong labels
            raise FetchError(FetchStatus.DNS_ERROR, f"{host[:80]!a} is no valid host name") from error
        return found

    def close(self) -> None:
        """Drop what is queued; a lookup under way ends on its own."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _lookup(host: str) -> list[str]:
    infos = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(info[4][0]) for info in infos))


class CheckedResolver(AbstractResolver):
    """Resolves each name once per session, failures included, and lets permitted addresses through.

    aiohttp connects to exactly what `resolve` returns, so a name cannot be checked as one address and connected to
    as another (DNS rebinding).
    """

    def __init__(self, policy: AddressPolicy, *, lookup: Lookup) -> None:
        self._policy = policy
        self._lookup = lookup
        self._known: dict[str, asyncio.Task[list[str]]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the permitted addresses of `host`.

        Raises:
            FetchError: DNS_ERROR or FORBIDDEN_ADDRESS.
        """
        task = self._known.get(host)
        if task is None:
            task = self._known[host] = asyncio.create_task(self._find(host))
        # One caller's deadline must not cancel what others are waiting for.
        addresses = await asyncio.shield(task)
        results = [_result(host, port, address) for address in addresses]
        return [result for result in results if family in {socket.AF_UNSPEC, result["family"]}]

    async def _find(self, host: str) -> list[str]:
        return self._policy.keep_allowed(host, await self._lookup(host))

    async def close(self) -> None:
        """Stop lookups that nobody waits for any more."""
        for task in self._known.values():
            task.cancel()
        await asyncio.gather(*self._known.values(), return_exceptions=True)


def _result(host: str, port: int, address: str) -> ResolveResult:
    return ResolveResult(
        hostname=host,
        host=address,
        port=port,
        family=socket.AF_INET6 if ":" in address else socket.AF_INET,
        proto=socket.IPPROTO_TCP,
        flags=socket.AI_NUMERICHOST,
    )
