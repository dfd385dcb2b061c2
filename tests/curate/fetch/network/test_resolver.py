import asyncio
import socket

import pytest

from curate.contract.reasons import FetchStatus
from curate.fetch.addresses import AddressPolicy
from curate.fetch.errors import FetchError
from curate.fetch.network.resolver import AddressCache, CheckedResolver, SystemLookup


class FakeLookup:
    def __init__(self, addresses: list[str]) -> None:
        self.addresses = addresses
        self.asked: list[str] = []

    async def __call__(self, host: str) -> list[str]:
        self.asked.append(host)
        await asyncio.sleep(0.01)
        if not self.addresses:
            raise FetchError(FetchStatus.DNS_ERROR, "no such name")
        return self.addresses


def test_permitted_addresses_are_returned_numerically() -> None:
    async def main() -> None:
        resolver = CheckedResolver(
            AddressPolicy(), lookup=FakeLookup(["10.0.0.1", "8.8.8.8", "2606:4700::1"]), cache=AddressCache()
        )
        results = await resolver.resolve("a.example", 443)
        assert [(r["hostname"], r["host"], r["port"]) for r in results] == [
            ("a.example", "8.8.8.8", 443),
            ("a.example", "2606:4700::1", 443),
        ]
        assert {r["flags"] for r in results} == {socket.AI_NUMERICHOST}
        only_v6 = await resolver.resolve("a.example", 443, socket.AF_INET6)
        assert [r["host"] for r in only_v6] == ["2606:4700::1"]
        await resolver.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("addresses", "status"),
    [([], FetchStatus.DNS_ERROR), (["127.0.0.1", "::ffff:10.0.0.1"], FetchStatus.FORBIDDEN_ADDRESS)],
)
def test_each_name_is_looked_up_once_failures_included(addresses: list[str], status: FetchStatus) -> None:
    async def main() -> None:
        lookup = FakeLookup(addresses)
        resolver = CheckedResolver(AddressPolicy(), lookup=lookup, cache=AddressCache())
        results = await asyncio.gather(*(resolver.resolve("a.example") for _ in range(5)), return_exceptions=True)
        results += await asyncio.gather(resolver.resolve("a.example"), return_exceptions=True)
        assert [r.status for r in results if isinstance(r, FetchError)] == [status] * 6
        assert lookup.asked == ["a.example"]
        await resolver.close()

    asyncio.run(main())


def test_one_deadline_does_not_cancel_the_others() -> None:
    async def main() -> None:
        found = asyncio.Event()

        async def look_up(_: str) -> list[str]:
            await found.wait()
            return ["8.8.8.8"]

        resolver = CheckedResolver(AddressPolicy(), lookup=look_up, cache=AddressCache())
        patient = asyncio.create_task(resolver.resolve("a.example"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(resolver.resolve("a.example"), 0.001)
        found.set()
        assert (await patient)[0]["host"] == "8.8.8.8"
        await resolver.close()

    asyncio.run(main())


def test_the_system_knows_localhost_and_refuses_nonsense() -> None:
    async def main() -> None:
        lookup = SystemLookup()
        assert set(await lookup("localhost")) <= {"127.0.0.1", "::1"}
        for nonsense in ("a..b", "x" * 300, "no-such-name.invalid"):
            with pytest.raises(FetchError) as caught:
                await lookup(nonsense)
            assert caught.value.status == FetchStatus.DNS_ERROR
        lookup.close()

    asyncio.run(main())


def test_sessions_share_what_was_found_but_not_what_was_allowed() -> None:
    async def main() -> None:
        cache, lookup = AddressCache(), FakeLookup(["10.0.0.1"])
        private = CheckedResolver(AddressPolicy(["10.0.0.0/8"]), lookup=lookup, cache=cache)
        assert (await private.resolve("a.example"))[0]["host"] == "10.0.0.1"
        public = CheckedResolver(AddressPolicy(), lookup=lookup, cache=cache)
        with pytest.raises(FetchError):
            await public.resolve("a.example")
        assert lookup.asked == ["a.example"]

    asyncio.run(main())


def test_the_cache_keeps_addresses_and_failures() -> None:
    cache, missing = AddressCache(), FetchError(FetchStatus.DNS_ERROR, "no such name")
    cache.put("a", ["8.8.8.8"])
    cache.put("b", missing)
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (["8.8.8.8"], missing, None)
