import asyncio

from multidict import CIMultiDictProxy
from yarl import URL

from curate.fetch.config import FetchConfig
from curate.fetch.network.aiohttp_transport import AiohttpTransport
from curate.fetch.network.resolver import AddressCache
from curate.fetch.network.transport import Response, Transport
from tests.curate.fetch.fake_transport import FakeResponse, FakeTransport
from tests.curate.fetch.fault_server import FaultServer


async def body_of(transport: Transport, url: str) -> tuple[int, bytes]:
    response: Response = await transport.request(URL(url), {"User-Agent": "x"})
    try:
        assert isinstance(response.headers, CIMultiDictProxy)
        return response.status, b"".join([chunk async for chunk in response.chunks()])
    finally:
        response.close()
        await transport.close()


def test_the_network_and_the_fake_stand_behind_one_seam(server: FaultServer) -> None:
    async def main() -> None:
        url, config = server.url("/html.jpg"), FetchConfig(allow_private=("127.0.0.1",))
        real = await body_of(AiohttpTransport(config, addresses=AddressCache()), url)
        assert await body_of(FakeTransport({url: [FakeResponse(real[1])]}), url) == real

    asyncio.run(main())
