"""A web server on loopback that answers from a dictionary and remembers what it was asked."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MANNERS = frozenset({"/robots.txt", "/.well-known/tdmrep.json"})
"""What a fetcher asks for to learn what it may ask for."""


@dataclass(kw_only=True, slots=True)
class Web:
    """Path -> (status, content type, body); everything else is 404."""

    url: str
    answers: dict[str, tuple[int, str, bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    """Paths in order of arrival, those of MANNERS left out."""
    referers: dict[str, str | None] = field(default_factory=dict)
    """Path -> the Referer it was last asked for with."""


@contextmanager
def serve() -> Iterator[Web]:
    web = Web(url="")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path not in MANNERS:
                web.asked.append(self.path)
                web.referers[self.path] = self.headers.get("Referer")
            status, content_type, body = web.answers.get(self.path, (404, "text/plain", b"nothing here"))
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        web.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield web
        finally:
            server.shutdown()
            thread.join()
