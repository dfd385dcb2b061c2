import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from curate.contract.reasons import FetchStatus
from curate.fetch.config import FetchConfig
from curate.fetch.errors import FetchError
from curate.fetch.img2dataset.urllib_opener import ToldError, guarded_opener, guarded_urllib, read_failure
from tests.curate.fetch.fault_server import FaultServer, unused_port

CONFIG = FetchConfig(allow_private=("127.0.0.1",), timeout_s=30, max_bytes="2MB", use_proxies=False)


SLOW = {"/hang.jpg": 0.5, "/drip.jpg": 3.0}
"""Seconds until they are given up: one that never answers, and one whose headers come in time."""


def fetch(url: str, config: FetchConfig = CONFIG) -> bytes:
    with guarded_opener(config).open(url, timeout=config.timeout_s) as response:
        return bytes(response.read())


def failure_of(url: str, config: FetchConfig = CONFIG) -> tuple[str, int | None]:
    with pytest.raises(ToldError) as caught:
        fetch(url, config)
    told = read_failure(str(caught.value))
    assert told is not None
    assert told.detail
    return told.status, told.http_status


@pytest.mark.parametrize(
    ("path", "status", "http_status"),
    [
        ("/404.jpg", "http_404", 404),
        ("/429.jpg", "http_429", 429),
        ("/304.jpg", "http_other", 304),
        ("/reset.jpg", "connect_error", None),
        ("/hang.jpg", "timeout", None),
        ("/drip.jpg", "timeout", 200),
        ("/endless.jpg", "too_large", 200),
        ("/short.jpg", "truncated_body", 200),
        ("/cut-chunk.jpg", "truncated_body", 200),
        ("/not-http.jpg", "protocol_error", None),
        ("/loop.jpg", "too_many_redirects", 302),
        ("/to-file.jpg", "bad_url", 302),
        ("/to-private.jpg", "forbidden_address", None),
        ("/to-link-local.jpg", "forbidden_address", None),
        ("/to-mapped.jpg", "forbidden_address", None),
    ],
)
def test_every_fault_is_told_with_its_status(
    path: str, status: str, http_status: int | None, server: FaultServer
) -> None:
    config = CONFIG.model_copy(update={"timeout_s": SLOW.get(path, CONFIG.timeout_s)})
    assert failure_of(server.url(path), config) == (status, http_status)


def test_bodies_come_through_redirects_whole_and_in_chunks(server: FaultServer) -> None:
    assert fetch(server.url("/chain-1.jpg")) == fetch(server.url("/ok.jpg"))
    assert fetch(server.url("/bomb-1bit.png"))[1:4] == b"PNG"


def test_what_is_no_web_address_is_never_opened(server: FaultServer) -> None:
    assert failure_of(f"http://127.0.0.1:{unused_port()}/") == ("connect_error", None)
    public_only = CONFIG.model_copy(update={"allow_private": ()})
    for host in ("localhost", "127.0.0.1"):
        assert failure_of(server.url("/ok.jpg", host=host), public_only) == ("forbidden_address", None)
    assert failure_of("http://no-such-name.invalid/") == ("dns_error", None)
    for url in ("file:///etc/passwd", "ftp://127.0.0.1/", "data:,x"):
        assert failure_of(url) == ("bad_url", None)


def test_certificates_are_checked(server: FaultServer, ca_file: str) -> None:
    assert failure_of(server.tls_url("/ok.jpg")) == ("tls_error", None)
    assert fetch(server.tls_url("/ok.jpg"), CONFIG.model_copy(update={"ca_file": ca_file}))


def test_other_texts_are_not_ours() -> None:
    assert read_failure("HTTP Error 404: Not Found") is None
    told = read_failure(str(ToldError(FetchError(FetchStatus.TOO_LARGE, "a: b\nc", 200))))
    assert told is not None
    assert (told.status, told.detail, told.http_status) == ("too_large", "a: b\nc", 200)


def test_urlopen_obeys_inside_the_block_only(server: FaultServer) -> None:
    url = server.url("/404.jpg")
    with guarded_urllib(CONFIG), pytest.raises(ToldError):
        urllib.request.urlopen(url)  # noqa: S310
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(url)  # noqa: S310
    caught.value.close()


@pytest.fixture
def keeping_server() -> Iterator[str]:
    """A server that ignores `Connection: close`, as some do."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "3")
            self.end_headers()
            self.close_connection = False
            self.wfile.write(b"abc")

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.daemon_threads = True
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}/"
        running.shutdown()
        thread.join()


def test_an_announced_end_is_the_end(keeping_server: str) -> None:
    assert fetch(keeping_server) == b"abc"
