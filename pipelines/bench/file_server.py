"""A loopback object store, a process of its own: `python -m pipelines.bench.file_server FOLDER DELAY_S`.

It answers GET and HEAD of a file, whole or a range of it, each after a delay as of a network. It serves until standard
input ends; its one line of output is its URL.
"""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvloop
from aiohttp import web
from aiohttp.typedefs import Handler


@contextmanager
def served(folder: Path, *, delay_s: float) -> Iterator[str]:
    """Yield the URL under which the files of a folder are served."""
    command = [sys.executable, "-m", __spec__.name, str(folder), str(delay_s)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own module
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def main() -> None:
    """Serve until standard input ends."""
    folder, delay_s = Path(sys.argv[1]), float(sys.argv[2])
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(folder, delay_s))


async def _serve(folder: Path, delay_s: float) -> None:
    @web.middleware
    async def wait(request: web.Request, handler: Handler) -> web.StreamResponse:
        await asyncio.sleep(delay_s)
        return await handler(request)

    app = web.Application(middlewares=[wait])
    app.router.add_static("/", folder)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    host, port = runner.addresses[0][:2]
    sys.stdout.write(f"http://{host}:{port}\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    main()
