import asyncio
import resource
import ssl
from collections.abc import Callable, Coroutine
from contextlib import suppress

import aiohttp
import pytest
from aiohttp.http_exceptions import BadHttpMessage, ContentLengthError, TransferEncodingError
from yarl import URL

from curate.contract.reasons import FetchStatus
from curate.fetch.config import FetchConfig
from curate.fetch.errors import FetchError
from curate.fetch.network.aiohttp_transport import AiohttpTransport, allow_many_sockets, classify
from curate.fetch.network.resolver import AddressCache
from tests.curate.fetch import samples
from tests.curate.fetch.fault_server import FaultServer

LOOPBACK = FetchConfig(allow_private=("127.0.0.1",))


def run(config: FetchConfig, use: Callable[[AiohttpTransport], Coroutine[None, None, None]]) -> None:
    async def main() -> None:
        transport = AiohttpTransport(config, addresses=AddressCache())
        try:
            await use(transport)
        finally:
            await transport.close()

    asyncio.run(main())


def test_a_body_is_streamed_undecoded(server: FaultServer) -> None:
    async def use(transport: AiohttpTransport) -> None:
        response = await transport.request(URL(server.url("/zipped.jpg")), {"User-Agent": "x"})
        body = b"".join([chunk async for chunk in response.chunks()])
        response.close()
        assert (response.status, response.headers["content-encoding"]) == (200, "gzip")
        assert body.startswith(b"\x1f\x8b")
        assert server.user_agents == {"x"}

    run(LOOPBACK, use)


def test_redirects_are_not_followed(server: FaultServer) -> None:
    async def use(transport: AiohttpTransport) -> None:
        response = await transport.request(URL(server.url("/moved.jpg")), {})
        response.close()
        assert (response.status, response.headers["Location"]) == (302, "/ok.jpg")

    run(LOOPBACK, use)


@pytest.mark.parametrize("name", ["junk", "blank", "many", "length-twice", "utf8"])
def test_odd_heads_are_read(name: str, server: FaultServer) -> None:
    async def use(transport: AiohttpTransport) -> None:
        response = await transport.request(URL(server.url(f"/odd/{name}")), {})
        assert b"".join([chunk async for chunk in response.chunks()]) == samples.jpeg()
        response.close()

    run(LOOPBACK, use)


def test_a_connection_that_a_server_is_asked_to_close_is_not_used_again() -> None:
    """Python's own server, as others, closes it without saying so in its answer."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes")
        writer.close()

    async def use(transport: AiohttpTransport) -> None:
        connector = transport._session.connector
        assert connector is not None
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as listening:
            port = listening.sockets[0].getsockname()[1]
            for headers, num_kept in (({}, 1), ({"Connection": "close"}, 0), ({"Connection": "close"}, 0), ({}, 1)):
                response = await transport.request(URL(f"http://127.0.0.1:{port}/"), headers)
                assert b"".join([chunk async for chunk in response.chunks()]) == b"yes"
                response.close()
                assert sum(map(len, connector._conns.values())) == num_kept
            await transport.close()
            await asyncio.sleep(0.05)  # until the server has heard of it

    run(LOOPBACK, use)


@pytest.mark.parametrize("name", ["plain", "extension", "blank-after", "blank-before", "blank-extension", "line-feeds"])
def test_odd_chunks_are_read_and_their_connection_is_closed(name: str, server: FaultServer) -> None:
    async def use(transport: AiohttpTransport) -> None:
        response = await transport.request(URL(server.url(f"/chunks/{name}")), {})
        async with asyncio.timeout(10):
            assert b"".join([chunk async for chunk in response.chunks()]) == samples.jpeg()
        connector = transport._session.connector
        assert connector is not None
        assert len(connector._conns) == (1 if name in {"plain", "extension"} else 0)
        response.close()

    run(LOOPBACK, use)


def test_an_error_tells_what_is_wrong_and_no_status_that_nobody_sent(server: FaultServer) -> None:
    async def use(transport: AiohttpTransport) -> None:
        with pytest.raises(FetchError) as caught:
            await transport.request(URL(server.url("/odd/two-lengths")), {})
        assert (caught.value.status, caught.value.http_status) == (FetchStatus.PROTOCOL_ERROR, None)
        assert caught.value.detail == f"BadHttpMessage: Content-Length is both 7 and {len(samples.jpeg())}"
        response = await transport.request(URL(server.url("/cut-chunk.jpg")), {})
        with pytest.raises(FetchError) as caught:
            assert not [chunk async for chunk in response.chunks()]
        response.close()
        assert caught.value.detail.startswith("TransferEncodingError: Not enough data")
        assert "400" not in caught.value.detail

    run(LOOPBACK, use)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f000001"])
def test_no_spelling_of_loopback_is_connected_to(host: str, server: FaultServer) -> None:
    async def use(transport: AiohttpTransport) -> None:
        with pytest.raises(FetchError) as caught:
            await transport.request(URL(server.url("/never", host=host)), {})
        assert caught.value.status in {FetchStatus.FORBIDDEN_ADDRESS, FetchStatus.BAD_URL, FetchStatus.DNS_ERROR}

    run(FetchConfig(), use)
    assert server.requested["/never"] == 0


def test_an_allowed_name_is_connected_to(server: FaultServer) -> None:
    async def use(transport: AiohttpTransport) -> None:
        response = await transport.request(URL(server.url("/ok.jpg", host="localhost")), {})
        assert [chunk async for chunk in response.chunks()] == [samples.jpeg()]
        response.close()

    run(FetchConfig(allow_private=("localhost",)), use)


def test_files_may_be_opened_up_to_the_hard_limit() -> None:
    allow_many_sockets()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert soft == hard or soft >= 65_536


def test_an_unknown_authority_is_refused_and_a_named_one_trusted(server: FaultServer, ca_file: str) -> None:
    async def use(transport: AiohttpTransport) -> None:
        response = await transport.request(URL(server.tls_url("/ok.jpg")), {})
        assert response.status == 200
        response.close()

    run(LOOPBACK.model_copy(update={"ca_file": ca_file}), use)
    with pytest.raises(FetchError) as caught:
        run(LOOPBACK, use)
    assert caught.value.status == FetchStatus.TLS_ERROR


def payload_error(cause: Exception | None) -> aiohttp.ClientPayloadError:
    error = aiohttp.ClientPayloadError("not completed")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (payload_error(None), FetchStatus.TRUNCATED_BODY),
        (payload_error(ContentLengthError("x")), FetchStatus.TRUNCATED_BODY),
        (payload_error(TransferEncodingError("Not enough data to satisfy")), FetchStatus.TRUNCATED_BODY),
        (payload_error(TransferEncodingError("bad chunk")), FetchStatus.PROTOCOL_ERROR),
        (payload_error(ConnectionResetError()), FetchStatus.TRUNCATED_BODY),
        (aiohttp.ServerDisconnectedError(), FetchStatus.CONNECT_ERROR),
        (aiohttp.ClientOSError(104, "reset"), FetchStatus.CONNECT_ERROR),
        (ConnectionResetError(), FetchStatus.CONNECT_ERROR),
        (aiohttp.ConnectionTimeoutError(), FetchStatus.TIMEOUT),
        (TimeoutError(), FetchStatus.TIMEOUT),
        (ssl.SSLError("x"), FetchStatus.TLS_ERROR),
        (ssl.SSLCertVerificationError("x"), FetchStatus.TLS_ERROR),
        (aiohttp.InvalidURL("x"), FetchStatus.BAD_URL),
        (UnicodeError("x"), FetchStatus.BAD_URL),
        (BadHttpMessage("x"), FetchStatus.PROTOCOL_ERROR),
        (aiohttp.ClientError("x"), FetchStatus.PROTOCOL_ERROR),
    ],
    ids=repr,
)
def test_every_exception_has_a_status(error: Exception, status: FetchStatus) -> None:
    assert classify(error) == status


def test_every_client_error_of_aiohttp_has_a_status() -> None:
    def subclasses(kind: type[Exception]) -> set[type[Exception]]:
        return {kind}.union(*(subclasses(one) for one in kind.__subclasses__()))

    for kind in subclasses(aiohttp.ClientError):
        assert classify(kind.__new__(kind)) in FetchStatus
