"""A loopback web server that fails in every way a real one does, in a thread of its own."""

import asyncio
import gzip
import socket
import ssl
import struct
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import brotli
import zstandard
from aiohttp import web

from tests.curate.fetch import samples

ROBOTS = "User-agent: *\nDisallow: /private/\n\nUser-agent: other\nDisallow: /\n"
PAGE = "<!doctype html><title>t</title><p>Grüße".encode()
START_TIMEOUT_S = 60
"""For a machine that is busy with other things; also how long a request for /meet.jpg waits for a second one."""
_ABORT_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER with no time: close sends RST


class FaultServer:
    """What the server has seen, and where it listens."""

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self.port = 0
        self.lone_port = 0
        """The same server as another host."""
        self.tls_port = 0
        self.requested: Counter[str] = Counter()
        self.user_agents: set[str] = set()
        self.refused = 0
        self.scarce_until_s = 0.0
        self.meeting = 0
        self.most_meeting = 0
        """Requests for /meet.jpg at once."""

    def url(self, path: str, *, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def lone_url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.lone_port}{path}"

    def tls_url(self, path: str) -> str:
        return f"https://127.0.0.1:{self.tls_port}{path}"

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.requested[request.path] += 1
        self.user_agents.add(request.headers.get("User-Agent", ""))
        if request.path in _ROUTES:
            return await _ROUTES[request.path](self, request)
        body, content_type = _FILES.get(request.path, (b"", ""))
        if not content_type:
            return web.Response(status=404, text="no such page")
        return web.Response(body=body, content_type=content_type)


@contextmanager
def serve(certificate: tuple[Path, Path] | None = None) -> Iterator[FaultServer]:
    """Run a server on free ports until the block ends.

    Args:
        certificate: Files of a certificate and its key; None serves no TLS.
    """
    server, ready, done = FaultServer(), threading.Event(), asyncio.Event()

    async def main() -> None:
        async with _listening(server, certificate):
            server.loop = asyncio.get_running_loop()
            ready.set()
            await done.wait()

    # `asyncio.run` ends the handlers that would never answer, too.
    thread = threading.Thread(target=lambda: asyncio.run(main()), daemon=True)
    thread.start()
    assert ready.wait(START_TIMEOUT_S)
    try:
        yield server
    finally:
        assert server.loop is not None
        server.loop.call_soon_threadsafe(done.set)
        thread.join()


@asynccontextmanager
async def _listening(server: FaultServer, certificate: tuple[Path, Path] | None) -> AsyncIterator[None]:
    runner = web.ServerRunner(web.Server(server.handle, max_line_size=20_000), shutdown_timeout=0.1)
    await runner.setup()
    for _ in range(2):
        await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.port, server.lone_port = (address[1] for address in runner.addresses)
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*certificate)
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        server.tls_port = ({address[1] for address in runner.addresses} - {server.port, server.lone_port}).pop()
    try:
        yield
    finally:
        await runner.cleanup()


def unused_port() -> int:
    """Return a port that refuses connections."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


Route = Callable[[FaultServer, web.BaseRequest], Awaitable[web.StreamResponse]]


def _status(code: int) -> Route:
    async def route(_: FaultServer, __: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=code, text="a fault")

    return route


def _redirect(location: str) -> Route:
    async def route(server: FaultServer, _: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": location.replace("PORT", str(server.port))})

    return route


def _busy_once(code: int, retry_after: str) -> Route:
    async def route(server: FaultServer, request: web.BaseRequest) -> web.StreamResponse:
        if server.requested[request.path] == 1:
            return web.Response(status=code, headers={"Retry-After": retry_after})
        return web.Response(body=samples.jpeg(), content_type="image/jpeg")

    return route


def _with_headers(headers: dict[str, str], body: bytes) -> Route:
    async def route(_: FaultServer, __: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=body, headers=headers)

    return route


async def _reset(_: FaultServer, request: web.BaseRequest) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT_ON_CLOSE)
    request.transport.abort()
    return web.Response()


async def _hang(_: FaultServer, __: web.BaseRequest) -> web.StreamResponse:
    await asyncio.sleep(60)
    return web.Response()


async def _slow(_: FaultServer, __: web.BaseRequest) -> web.StreamResponse:
    await asyncio.sleep(0.05)
    return web.Response(body=samples.jpeg(), content_type="image/jpeg")


async def _meet(server: FaultServer, _: web.BaseRequest) -> web.StreamResponse:
    """Hold the first request until there is another; then give a third one time to come."""
    server.meeting += 1
    server.most_meeting = max(server.most_meeting, server.meeting)
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            while server.most_meeting < 2:  # noqa: ASYNC110 - a server of tests
                await asyncio.sleep(0.005)
        await asyncio.sleep(0.02)
    finally:
        server.meeting -= 1
    return web.Response(body=samples.jpeg(), content_type="image/jpeg")


async def _scarce(server: FaultServer, request: web.BaseRequest) -> web.StreamResponse:
    """Serve one request every 30 ms; the others, and the first few, are told to come back."""
    now_s = asyncio.get_running_loop().time()
    if now_s < server.scarce_until_s or server.refused < 3:
        server.refused += 1
        return web.Response(status=429)
    server.scarce_until_s = now_s + 0.03
    return await _slow(server, request)


async def _stream(request: web.BaseRequest, chunk: bytes, pause_s: float) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    try:
        while True:
            await response.write(chunk)
            await asyncio.sleep(pause_s)
    except ConnectionError:
        return response


async def _drip(_: FaultServer, request: web.BaseRequest) -> web.StreamResponse:
    return await _stream(request, b"\xff", 0.05)


async def _endless(_: FaultServer, request: web.BaseRequest) -> web.StreamResponse:
    return await _stream(request, bytes(65_536), 0)


def _raw(answer: bytes) -> Route:
    async def route(_: FaultServer, request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.write(answer)
        request.transport.close()
        return web.Response()

    return route


_FILES: dict[str, tuple[bytes, str]] = {
    "/robots.txt": (ROBOTS.encode(), "text/plain"),
    "/ok.jpg": (samples.jpeg(), "image/jpeg"),
    "/private/secret.jpg": (samples.jpeg(), "image/jpeg"),
    "/a b/bild-ü.jpg": (samples.jpeg(), "image/jpeg"),
    "/html.jpg": (PAGE, "image/jpeg"),
    "/drawing.svg": (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "image/svg+xml"),
    "/truncated.jpg": (samples.jpeg()[:-400], "image/jpeg"),
    "/bomb-rgba.png": (samples.blank_png(16_000, 16_000, bits=8, color=6), "image/png"),
    "/bomb-1bit.png": (samples.blank_png(20_000, 20_000, bits=1, color=0), "image/png"),
    "/frames.gif": (samples.gif(10_000), "image/gif"),
    "/rotated.jpg": (samples.jpeg(orientation=6), "image/jpeg"),
    "/cmyk.jpg": (samples.jpeg(mode="CMYK"), "image/jpeg"),
    "/gray16.png": (samples.gray16_png(), "image/png"),
    "/empty.jpg": (b"", "image/jpeg"),
    "/movie.mp4": (b"\0" * 64, "video/mp4"),
    "/page.html": (PAGE, "text/html"),
    "/paper.pdf": (b"%PDF-1.7", "application/pdf"),
}

_ODD_HEADERS: dict[str, bytes] = {
    "junk": b"PHP Warning:  Module 'x' already loaded in Unknown on line 0\r\n",
    "blank": b"Cache Control: max-age=10\r\n",
    "many": b"".join(b"X-H%d: v\r\n" % number for number in range(400)),
    "length-twice": b"Content-Length: %d\r\n" % len(samples.jpeg()),
    "two-lengths": b"Content-Length: 7\r\n",
    "utf8": b"Content-Encoding: UTF-8\r\n",
}
"""Lines beside a whole JPEG and its length."""


def _odd(lines: bytes) -> bytes:
    body = samples.jpeg()
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%b\r\n%b" % (len(body), lines, body)


_ODD_CHUNKS: dict[str, tuple[bytes, bytes]] = {
    "plain": (b"%x\r\n%b\r\n", b"0\r\n\r\n"),
    "extension": (b"%x;name=value\r\n%b\r\n", b"0\r\nX-After: the body\r\n\r\n"),
    "blank-after": (b"%x  \t\r\n%b\r\n", b"0  \r\n\r\n"),
    "blank-before": (b" %x\r\n%b\r\n", b" 0\r\n\r\n"),
    "blank-extension": (b"%x ; name = value\r\n%b\r\n", b"0;\tx\r\n\r\n"),
    "line-feeds": (b"%x\n%b\n", b"0\nX-After: the body\n\n"),
}
"""How a chunk is written, and the last one."""


def _chunked(name: str) -> Route:
    async def route(_: FaultServer, request: web.BaseRequest) -> web.StreamResponse:
        chunk, last = _ODD_CHUNKS[name]
        body, line_end = samples.jpeg(), b"\n" if name == "line-feeds" else b"\r\n"
        head = line_end.join([b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked", b"", b""])
        assert request.transport is not None
        for part in (head, chunk % (300, body[:300]), chunk % (len(body) - 300, body[300:]), last):
            request.transport.write(part)
        await asyncio.sleep(60)  # a client that waits for more sees no end
        return web.Response()

    return route


_ROUTES: dict[str, Route] = {
    "/404.jpg": _status(404),
    "/410.jpg": _status(410),
    "/403.jpg": _status(403),
    "/500.jpg": _status(500),
    "/501.jpg": _status(501),
    "/429.jpg": _status(429),
    "/304.jpg": _status(304),
    "/busy-503.jpg": _busy_once(503, "1"),
    "/busy-429.jpg": _busy_once(429, "0"),
    "/busy-for-an-hour.jpg": _busy_once(503, "3600"),
    "/reset.jpg": _reset,
    "/hang.jpg": _hang,
    "/drip.jpg": _drip,
    "/endless.jpg": _endless,
    "/short.jpg": _raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc"),
    "/cut-chunk.jpg": _raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nabc"),
    "/bad-chunk.jpg": _raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n"),
    "/not-http.jpg": _raw(b"SSH-2.0-OpenSSH_9.9\r\n\r\n"),
    "/announced.jpg": _raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nabc"),
    "/zipped.jpg": _with_headers({"Content-Encoding": "gzip"}, gzip.compress(samples.jpeg())),
    "/zip-bomb.jpg": _with_headers({"Content-Encoding": "gzip"}, gzip.compress(bytes(20_000_000))),
    "/br.jpg": _with_headers({"Content-Encoding": "br"}, brotli.compress(samples.jpeg())),
    "/br-bomb.jpg": _with_headers({"Content-Encoding": "br"}, brotli.compress(bytes(20_000_000), quality=5)),
    "/zstd.jpg": _with_headers({"Content-Encoding": "zstd"}, zstandard.compress(samples.jpeg())),
    "/zstd-bomb.jpg": _with_headers({"Content-Encoding": "zstd"}, zstandard.compress(bytes(20_000_000))),
    "/not-zipped.jpg": _with_headers({"Content-Encoding": "gzip"}, samples.jpeg()),
    "/noai.jpg": _with_headers({"X-Robots-Tag": "noai"}, samples.jpeg()),
    "/moved.jpg": _redirect("/ok.jpg"),
    "/moved-to-private.jpg": _redirect("/private/secret.jpg"),
    "/loop.jpg": _redirect("/loop.jpg"),
    "/chain-1.jpg": _redirect("/chain-2.jpg"),
    "/chain-2.jpg": _redirect("/chain-3.jpg"),
    "/chain-3.jpg": _redirect("/ok.jpg"),
    "/to-file.jpg": _redirect("file:///etc/passwd"),
    "/to-private.jpg": _redirect("http://10.0.0.1/x.jpg"),
    "/to-link-local.jpg": _redirect("http://169.254.169.254/latest/meta-data/"),
    "/to-mapped.jpg": _redirect("http://[::ffff:10.0.0.1]/x.jpg"),
    "/to-name.jpg": _redirect("http://localhost:PORT/ok.jpg"),
    "/meet.jpg": _meet,
    "/scarce.jpg": _scarce,
    "/no-type": _raw(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(PAGE), PAGE)),
    "/moved.html": _redirect("/page.html"),
    **{f"/chunks/{name}": _chunked(name) for name in _ODD_CHUNKS},
    **{f"/odd/{name}": _raw(_odd(lines)) for name, lines in _ODD_HEADERS.items()},
}
