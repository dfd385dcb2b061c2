"""A loopback server for the demo world, with a real web's faults, in a process of its own.

By hand: ``python -m pipelines.demo.server FOLDER --port 8907``. It serves ``FOLDER/site`` after the rules of
``FOLDER/faults.json`` and counts requests by path; ``/__requests__`` answers with the counts.
"""

import argparse
import asyncio
import contextlib
import json
import socket
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from pipelines.demo.faults import FaultKind, FaultRule, read_faults
from pipelines.demo.site import SITE_FOLDER

HOST = "127.0.0.1"
DEFAULT_PORT = 8907
REQUESTS_PATH = "/__requests__"
ENDLESS_CHUNK = b"\xff" * 65536
SHORT_BY_BYTES = 5000
HANG_S = 3600.0
STOP_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class DemoServer:
    """A running server."""

    base_url: str

    def count_requests(self) -> dict[str, int]:
        """Ask the server how often each path, without its query, was requested."""
        url = f"{self.base_url}{REQUESTS_PATH}"
        with urllib.request.urlopen(url, timeout=STOP_TIMEOUT_S) as answer:  # noqa: S310 (our own loopback server)
            counts: dict[str, int] = json.load(answer)
            return counts


def pick_port(preferred: int = DEFAULT_PORT) -> int:
    """Return ``preferred`` if nobody listens there, else a free port.

    Lists name the port, so only the preferred one makes them the same everywhere.
    """
    for port in (preferred, 0):
        with socket.socket() as probe:
            # Without it a port that has just been given up would count as taken for a minute.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind((HOST, port))
                return int(probe.getsockname()[1])
    raise OSError(f"no free port on {HOST}")


@contextlib.contextmanager
def serve(folder: Path, *, port: int) -> Iterator[DemoServer]:
    """Serve the world in ``folder`` until the block ends, or this process dies.

    Raises:
        OSError: The server did not start; its own message is on stderr.
    """
    command = [sys.executable, "-m", "pipelines.demo.server", str(folder), "--port", str(port), "--until-stdin-closes"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 (our own module)
        try:
            base_url = "" if process.stdout is None else process.stdout.readline().strip()
            if not base_url:
                raise OSError(f"the demo server did not start on port {port}")
            yield DemoServer(base_url)
        finally:
            process.terminate()
            process.wait(STOP_TIMEOUT_S)


def make_app(folder: Path) -> web.Application:
    """Return the application that serves ``folder``."""
    root = (folder / SITE_FOLDER).resolve()
    rules = read_faults(folder)
    counts: Counter[str] = Counter()

    async def handle(request: web.Request) -> web.StreamResponse:
        path = request.path
        if path == REQUESTS_PATH:
            return web.json_response(counts)
        counts[path] += 1
        file = (root / path.lstrip("/")).resolve()
        rule = rules.get(path)
        if rule is not None:
            return await _misbehave(request, rule, file, num_requests=counts[path])
        if not file.is_relative_to(root) or not file.is_file():
            return web.Response(status=404, text="There is nothing here.")
        return web.FileResponse(file)

    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    return app


async def _misbehave(request: web.Request, rule: FaultRule, file: Path, *, num_requests: int) -> web.StreamResponse:
    if rule.kind is FaultKind.STATUS or (rule.kind is FaultKind.BUSY and num_requests <= rule.times):
        return web.Response(status=rule.status, headers=rule.headers, text="Not now, or not ever.")
    if rule.kind is FaultKind.REDIRECT:
        return web.Response(status=rule.status, headers={"Location": rule.location})
    if rule.kind in _BROKEN:
        return await _BROKEN[rule.kind](request)
    await asyncio.sleep(rule.seconds)
    # The headers of a busy answer, such as Retry-After, are not the file's.
    return web.FileResponse(file, headers=rule.headers if rule.kind is FaultKind.HEADERS else {})


async def _hang(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(HANG_S)
    return _drop(request, web.Response())


async def _reset(request: web.Request) -> web.StreamResponse:
    return _drop(request, web.Response())


async def _send_endlessly(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "image/jpeg"})
    await response.prepare(request)
    with contextlib.suppress(ConnectionError):
        while True:
            await response.write(ENDLESS_CHUNK)
    return response


async def _send_short(request: web.Request) -> web.StreamResponse:
    body = ENDLESS_CHUNK[:1000]
    length = str(len(body) + SHORT_BY_BYTES)
    response = web.StreamResponse(headers={"Content-Type": "image/jpeg", "Content-Length": length})
    await response.prepare(request)
    await response.write(body)
    return _drop(request, response)


def _drop(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    """Close the connection under the response."""
    if request.transport is not None:
        request.transport.close()
    return response


_BROKEN: dict[FaultKind, Callable[[web.Request], Awaitable[web.StreamResponse]]] = {
    FaultKind.HANG: _hang,
    FaultKind.RESET: _reset,
    FaultKind.ENDLESS: _send_endlessly,
    FaultKind.SHORT: _send_short,
}


async def _serve_forever(folder: Path, *, port: int, until_stdin_closes: bool) -> None:
    # Requests that are never answered must not hold up the end.
    runner = web.AppRunner(make_app(folder), access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, port).start()
        sys.stdout.write(f"http://{HOST}:{runner.addresses[0][1]}\n")
        sys.stdout.flush()
        if until_stdin_closes:
            # The parent holds the other end: it closes when the parent dies, however it dies.
            await asyncio.to_thread(sys.stdin.read)
        else:
            await asyncio.Event().wait()
    finally:
        await runner.cleanup()


def main() -> None:
    """Serve a world by hand."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="of a world")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="0 takes a free one")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end with the process that started this one")
    arguments = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(
            _serve_forever(arguments.folder, port=arguments.port, until_stdin_closes=arguments.until_stdin_closes)
        )


if __name__ == "__main__":
    main()
