"""Host names to checked addresses; what is returned here is what is connected to."""

import asyncio
import socket
import threading
import time
from collections import OrderedDict
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

FOUND_AGE_S = 300.0
"""How long addresses are reused: a common time-to-live; getaddrinfo does not tell the name's own."""

MISSING_AGE_S = 30.0
"""How long a name without an address stays so."""

MAX_NAMES = 100_000


class AddressCache:
    """Names that a process has looked up, failures included. Holds no judgement: every use is checked anew."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[float, list[str] | FetchError]] = OrderedDict()

    def get(self, host: str) -> list[str] | FetchError | None:
        """Return a name's addresses, or how its lookup failed, unless that is too old."""
        with self._lock:
            expires_s, found = self._kept.get(host, (0.0, None))
            return found if time.monotonic() < expires_s else None

    def put(self, host: str, found: list[str] | FetchError) -> None:
        """Keep a lookup's result; the oldest make room."""
        age_s = MISSING_AGE_S if isinstance(found, FetchError) else FOUND_AGE_S
        with self._lock:
            self._kept[host] = (time.monotonic() + age_s, found)
            self._kept.move_to_end(host)
            if len(self._kept) > MAX_NAMES:
                self._kept.popitem(last=False)


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
    """Resolves each name once, however many wait for it, and lets permitted addresses through.

    aiohttp connects to exactly what `resolve` returns, so a name cannot be checked as one address and connected to
    as another (DNS rebinding).
    """

    def __init__(self, policy: AddressPolicy, *, lookup: Lookup, cache: AddressCache) -> None:
        self._policy = policy
        self._lookup = lookup
        self._cache = cache
        self._asked: dict[str, asyncio.Task[list[str] | FetchError]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the permitted addresses of `host`.

        Raises:
            FetchError: DNS_ERROR or FORBIDDEN_ADDRESS.
        """
        found = self._cache.get(host)
        if found is None:
            task = self._asked.get(host)
            if task is None:
                task = self._asked[host] = asyncio.create_task(self._look_up(host))
            # One caller's deadline must not cancel what others are waiting for.
            found = await asyncio.shield(task)
        if isinstance(found, FetchError):
            raise FetchError(*found.args)
        results = [_result(host, port, address) for address in self._policy.keep_allowed(host, found)]
        return [result for result in results if family in {socket.AF_UNSPEC, result["family"]}]

    async def _look_up(self, host: str) -> list[str] | FetchError:
        found: list[str] | FetchError
        try:
            found = await self._lookup(host)
        except FetchError as error:
            found = error.with_traceback(None)
        self._cache.put(host, found)
        del self._asked[host]
        return found

    async def close(self) -> None:
        """Stop lookups that nobody waits for any more."""
        tasks = list(self._asked.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _result(host: str, port: int, address: str) -> ResolveResult:
    return ResolveResult(
        hostname=host,
        host=address,
        port=port,
        family=socket.AF_INET6 if ":" in address else socket.AF_INET,
        proto=socket.IPPROTO_TCP,
        flags=socket.AI_NUMERICHOST,
    )
