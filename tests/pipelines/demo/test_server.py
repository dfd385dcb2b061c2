import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.demo.faults import FaultKind, FaultRule
from pipelines.demo.server import DemoServer, pick_port, serve
from pipelines.demo.site import Site


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoServer]:
    folder: Path = tmp_path_factory.mktemp("served")
    site = Site(folder, base_url="")
    site.write_furniture()
    site.write("/a.jpg", b"picture")
    site.busy("/busy.jpg")
    site.write("/busy.jpg", b"at last")
    site.add_rule("/gone.jpg", FaultRule(kind=FaultKind.STATUS, status=410, headers={"X-Why": "old"}))
    site.write("/reserved.jpg", b"reserved")
    site.add_rule("/reserved.jpg", FaultRule(kind=FaultKind.HEADERS, headers={"X-Robots-Tag": "noai"}))
    site.add_rule("/moved.jpg", FaultRule(kind=FaultKind.REDIRECT, status=301, location="/a.jpg"))
    site.add_rule("/slow.jpg", FaultRule(kind=FaultKind.SLOW, seconds=0.2))
    site.write("/slow.jpg", b"slow")
    for kind in (FaultKind.ENDLESS, FaultKind.HANG, FaultKind.RESET, FaultKind.SHORT):
        site.add_rule(f"/{kind}.jpg", FaultRule(kind=kind))
    site.finish()
    (folder / "secret.txt").write_text("outside the site")
    with serve(folder, port=0) as running:
        yield running


def open_url(server: DemoServer, path: str, *, timeout_s: float = 60.0) -> Any:
    return urllib.request.urlopen(f"{server.base_url}{path}", timeout=timeout_s)  # noqa: S310 (loopback)


def get(server: DemoServer, path: str, *, timeout_s: float = 60.0) -> bytes:
    with open_url(server, path, timeout_s=timeout_s) as answer:
        body: bytes = answer.read()
        return body


def status(server: DemoServer, path: str) -> urllib.error.HTTPError:
    with pytest.raises(urllib.error.HTTPError) as caught:
        get(server, path)
    caught.value.close()
    return caught.value


def test_files_are_served_whatever_the_query(server: DemoServer) -> None:
    assert get(server, "/a.jpg?visit=3") == b"picture"
    assert status(server, "/nothing.jpg").code == 404


def test_nothing_outside_the_site_is_served(server: DemoServer) -> None:
    host = server.base_url.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=60)
    connection.request("GET", "/../secret.txt")
    assert connection.getresponse().status == 404
    connection.close()


def test_connections_stay_open(server: DemoServer) -> None:
    connection = http.client.HTTPConnection(server.base_url.removeprefix("http://"), timeout=60)
    for _ in range(2):
        connection.request("GET", "/a.jpg")
        assert connection.getresponse().read() == b"picture"
        assert connection.sock is not None
    connection.close()


def test_a_busy_path_answers_at_the_second_request(server: DemoServer) -> None:
    refusal = status(server, "/busy.jpg")
    assert (refusal.code, refusal.headers["Retry-After"]) == (503, "1")
    assert get(server, "/busy.jpg") == b"at last"


def test_statuses_headers_and_redirects(server: DemoServer) -> None:
    gone = status(server, "/gone.jpg")
    assert (gone.code, gone.headers["X-Why"]) == (410, "old")
    assert get(server, "/moved.jpg") == b"picture"
    with open_url(server, "/reserved.jpg") as answer:
        assert answer.headers["X-Robots-Tag"] == "noai"


def test_a_slow_path_takes_its_time(server: DemoServer) -> None:
    started_s = time.monotonic()
    assert get(server, "/slow.jpg") == b"slow"
    assert time.monotonic() - started_s >= 0.2


def test_broken_connections(server: DemoServer) -> None:
    with pytest.raises(http.client.RemoteDisconnected):
        get(server, "/reset.jpg")
    with pytest.raises(http.client.IncompleteRead):
        get(server, "/short.jpg")
    with pytest.raises(TimeoutError):
        get(server, "/hang.jpg", timeout_s=0.2)


def test_an_endless_body_goes_on(server: DemoServer) -> None:
    with open_url(server, "/endless.jpg") as answer:
        assert len(answer.read(3_000_000)) == 3_000_000


def test_requests_are_counted_by_path(server: DemoServer) -> None:
    before = server.count_requests().get("/robots.txt", 0)
    get(server, "/robots.txt?x=1")
    counts = server.count_requests()
    assert counts["/robots.txt"] == before + 1
    assert not any("__requests__" in path for path in counts)


def test_a_taken_port_is_not_picked(server: DemoServer) -> None:
    taken = int(server.base_url.rsplit(":", 1)[1])
    assert pick_port(taken) != taken


def test_a_taken_port_is_an_error(server: DemoServer, tmp_path: Path) -> None:
    site = Site(tmp_path, base_url="")
    site.finish()
    taken = int(server.base_url.rsplit(":", 1)[1])
    with pytest.raises(OSError, match="did not start"), serve(tmp_path, port=taken):
        pass


def test_the_server_ends_with_its_block(tmp_path: Path) -> None:
    Site(tmp_path, base_url="").finish()
    with serve(tmp_path, port=0) as short_lived:
        assert short_lived.count_requests() == {}
    with pytest.raises(urllib.error.URLError):
        get(short_lived, "/")
