"""A loopback web server of images, a process of its own: `python -m pipelines.bench.image_server FOLDER CERT KEY`.

`/NAME/NUMBER.jpg` answers with one of the files `FOLDER/NAME-*.jpg`, after a delay as on the web.
"""

import asyncio
import json
import ssl
import sys
from pathlib import Path

import uvloop
from aiohttp import web

DELAY_S = 0.05


def main() -> None:
    """Serve until standard input ends; the first line of output is a JSON object of the two base URLs."""
    folder, cert, key = map(Path, sys.argv[1:4])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(folder, context))


async def _serve(folder: Path, context: ssl.SSLContext) -> None:
    app = web.Application()
    app["bodies"] = _read_bodies(folder)
    app.router.add_get("/{name}/{number:\\d+}.jpg", _answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    for ssl_context in (None, context):
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=ssl_context, backlog=1024).start()
    (http_host, http_port), (https_host, https_port) = (address[:2] for address in runner.addresses)
    urls = {"http": f"http://{http_host}:{http_port}", "https": f"https://{https_host}:{https_port}"}
    sys.stdout.write(json.dumps(urls) + "\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await runner.cleanup()


def _read_bodies(folder: Path) -> dict[str, list[bytes]]:
    bodies: dict[str, list[bytes]] = {}
    for path in sorted(folder.glob("*-*.jpg")):
        bodies.setdefault(path.stem.rsplit("-", 1)[0], []).append(path.read_bytes())
    return bodies


async def _answer(request: web.Request) -> web.Response:
    await asyncio.sleep(DELAY_S)
    bodies = request.app["bodies"].get(request.match_info["name"])
    if bodies is None:
        raise web.HTTPNotFound
    number = int(request.match_info["number"])
    return web.Response(body=bodies[number % len(bodies)], content_type="image/jpeg")


if __name__ == "__main__":
    main()
