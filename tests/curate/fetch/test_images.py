import base64
import io
import json
import subprocess
import sys
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from PIL import Image

from curate.contract.ids import sha256_hex
from curate.contract.schemas import IMAGES, check_schema
from curate.fetch.config import FetchConfig, ResizeConfig, Tls
from curate.fetch.images import fetch_images
from tests.curate.fetch import samples
from tests.curate.fetch.fake_transport import FakeResponse, FakeTransport
from tests.curate.fetch.fault_server import FaultServer, unused_port

CONFIG = FetchConfig(
    allow_private=("127.0.0.1",),
    timeout_s=30,  # what answers does so in time on a busy machine, too
    backoff_s=0.01,
    max_wait_s=2,
    max_refusals=1,
    retries=1,
    min_bytes_per_s=100,
    slow_window_s=30,
    max_bytes="2MB",
    per_host=8,
    contact="mailto:crawl@example.org",
)

SLOW: dict[str, dict[str, float]] = {"/hang.jpg": {"timeout_s": 1}, "/drip.jpg": {"slow_window_s": 0.5}}
"""What ends by a deadline is fetched apart, with a short one."""

# Path on the fault server -> status and HTTP status that a fetch ends with.
EXPECTED: dict[str, tuple[str, int | None]] = {
    "/ok.jpg": ("ok", 200),
    "/404.jpg": ("http_404", 404),
    "/410.jpg": ("http_410", 410),
    "/403.jpg": ("http_4xx", 403),
    "/500.jpg": ("http_5xx", 500),
    "/501.jpg": ("http_5xx", 501),
    "/429.jpg": ("http_429", 429),
    "/304.jpg": ("http_other", 304),
    "/busy-503.jpg": ("ok", 200),
    "/busy-429.jpg": ("ok", 200),
    "/reset.jpg": ("connect_error", None),
    "/hang.jpg": ("timeout", None),
    "/drip.jpg": ("timeout", 200),
    "/endless.jpg": ("too_large", 200),
    "/announced.jpg": ("too_large", 200),
    "/short.jpg": ("truncated_body", 200),
    "/cut-chunk.jpg": ("truncated_body", 200),
    "/bad-chunk.jpg": ("protocol_error", None),
    "/not-http.jpg": ("protocol_error", None),
    "/zipped.jpg": ("ok", 200),
    "/zip-bomb.jpg": ("too_large", 200),
    "/br.jpg": ("ok", 200),
    "/br-bomb.jpg": ("too_large", 200),
    "/zstd.jpg": ("ok", 200),
    "/zstd-bomb.jpg": ("too_large", 200),
    "/chunks/blank-extension": ("ok", 200),
    "/chunks/line-feeds": ("ok", 200),
    "/not-zipped.jpg": ("ok", 200),
    "/noai.jpg": ("opted_out", 200),
    "/moved.jpg": ("ok", 200),
    "/moved-to-private.jpg": ("robots_disallowed", None),
    "/loop.jpg": ("too_many_redirects", 302),
    "/chain-1.jpg": ("ok", 200),
    "/to-file.jpg": ("bad_url", 302),
    "/to-private.jpg": ("forbidden_address", None),
    "/to-link-local.jpg": ("forbidden_address", None),
    "/to-mapped.jpg": ("forbidden_address", None),
    "/private/secret.jpg": ("robots_disallowed", None),
    "/html.jpg": ("not_an_image", 200),
    "/drawing.svg": ("not_an_image", 200),
    "/movie.mp4": ("not_an_image", 200),
    "/truncated.jpg": ("broken_image", 200),
    "/bomb-rgba.png": ("too_many_pixels", 200),
    "/bomb-1bit.png": ("too_many_pixels", 200),
    "/frames.gif": ("ok", 200),
    "/rotated.jpg": ("ok", 200),
    "/cmyk.jpg": ("ok", 200),
    "/gray16.png": ("ok", 200),
    "/empty.jpg": ("empty_body", 200),
    "/a b/bild-ü.jpg": ("ok", 200),
    "/a%20b/bild-%C3%BC.jpg": ("ok", 200),
    "/" + "x" * 7_000: ("http_404", 404),
    "/" + "x" * 10_000: ("bad_url", None),
}


def wanted(urls: list[str | None]) -> pa.Table:
    ids = [f"{number:016x}" for number in range(len(urls))]
    return pa.table(
        {"doc_id": ids, "position": pa.array([3] * len(urls), pa.int32()), "image_url": pa.array(urls, pa.string())}
    )


def by_url(table: pa.Table) -> dict[str, dict[str, object]]:
    return {row["image_url"]: row for row in table.to_pylist()}


@pytest.fixture(scope="module")
def fetched(server: FaultServer) -> dict[str, dict[str, object]]:
    """All faults but those of time in one call, as in a real partition."""
    rows: dict[str, dict[str, object]] = {}
    for options, paths in calls(list(EXPECTED)):
        table = fetch_images(wanted([server.url(path) for path in paths]), config=CONFIG.model_copy(update=options))
        check_schema(table, IMAGES, where="test")
        rows |= by_url(table)
    return rows


def calls(paths: list[str]) -> list[tuple[dict[str, float], list[str]]]:
    """Divide paths into calls, each with options of its own."""
    return [({}, [path for path in paths if path not in SLOW]), *((SLOW[path], [path]) for path in SLOW)]


@pytest.mark.parametrize("path", EXPECTED, ids=lambda path: path[:40])
def test_each_fault_ends_in_its_own_status(
    path: str, fetched: dict[str, dict[str, object]], server: FaultServer
) -> None:
    row = fetched[server.url(path)]
    assert (row["status"], row["http_status"]) == EXPECTED[path], row["detail"]
    assert (row["data"] is None) == (row["status"] != "ok")
    assert (row["detail"] is None) == (row["status"] == "ok")


def test_disallowed_urls_are_never_requested(fetched: dict[str, dict[str, object]], server: FaultServer) -> None:
    assert fetched
    assert server.requested["/private/secret.jpg"] == 0
    assert server.requested["/robots.txt"] == 1


def test_only_transient_faults_are_asked_again(fetched: dict[str, dict[str, object]], server: FaultServer) -> None:
    assert fetched
    again = {"/500.jpg", "/429.jpg", "/busy-503.jpg", "/busy-429.jpg", "/reset.jpg", "/short.jpg", "/cut-chunk.jpg"}
    reached_twice = {"/ok.jpg", "/a b/bild-ü.jpg"}  # through redirects, and in two spellings
    assert {path for path in EXPECTED if server.requested[path] > 1} == again | reached_twice
    assert server.requested["/404.jpg"] == 1


def test_a_slow_body_ends_before_its_deadline(fetched: dict[str, dict[str, object]], server: FaultServer) -> None:
    assert fetched[server.url("/drip.jpg")]["detail"] == "fewer than 50 bytes in 0.5 s"


def test_every_check_is_dated_and_stored(fetched: dict[str, dict[str, object]], server: FaultServer) -> None:
    now = datetime.now(UTC)
    assert all(abs((now - row["fetched_at"]).total_seconds()) < 3600 for row in fetched.values())  # type: ignore[operator]
    checks = {
        path: tuple(fetched[server.url(path)][name] for name in ("robots", "x_robots_tag", "tdm_reservation"))
        for path in ("/ok.jpg", "/noai.jpg", "/private/secret.jpg", "/reset.jpg", "/" + "x" * 10_000)
    }
    assert list(checks.values()) == [
        ("allowed", "", 0),
        ("allowed", "noai", 0),
        ("disallowed", None, None),
        ("allowed", None, 0),
        (None, None, None),
    ]


def test_a_host_that_wants_no_requests_for_an_hour_is_left_alone(server: FaultServer) -> None:
    urls: list[str | None] = [server.lone_url("/busy-for-an-hour.jpg")]
    first = fetch_images(wanted(urls), config=CONFIG).to_pylist()[0]
    assert (first["status"], first["http_status"], first["detail"]) == ("http_5xx", 503, "HTTP 503")
    second = fetch_images(wanted([*urls, server.lone_url("/ok.jpg?later")]), config=CONFIG).to_pylist()
    assert [(row["status"], row["http_status"]) for row in second] == [("http_5xx", 503)] * 2
    assert "asked to be left alone for 3600 s" in second[1]["detail"]
    assert server.requested["/busy-for-an-hour.jpg"] == 1


def test_the_user_agent_is_honest(fetched: dict[str, dict[str, object]], server: FaultServer) -> None:
    assert fetched
    assert len(server.user_agents) == 1
    assert next(iter(server.user_agents)).endswith(" (+mailto:crawl@example.org)")


def test_an_upright_jpeg_is_stored_as_it_came(fetched: dict[str, dict[str, object]], server: FaultServer) -> None:
    row = fetched[server.url("/ok.jpg")]
    assert row["data"] == samples.jpeg()
    assert row["image_id"] == row["original_sha256"] == sha256_hex(samples.jpeg())
    assert row["original_num_bytes"] == len(samples.jpeg())
    assert row["format"] == "jpg"


def test_a_rotated_jpeg_is_stored_upright(fetched: dict[str, dict[str, object]], server: FaultServer) -> None:
    row = fetched[server.url("/rotated.jpg")]
    assert (row["width"], row["height"]) == (row["original_width"], row["original_height"]) == (30, 40)
    assert row["original_sha256"] == sha256_hex(samples.jpeg(orientation=6))
    assert isinstance(row["data"], bytes)
    assert row["image_id"] == sha256_hex(row["data"])
    assert Image.open(io.BytesIO(row["data"])).size == (30, 40)


def test_refused_connections_and_names_of_loopback(server: FaultServer) -> None:
    refusing = f"http://127.0.0.1:{unused_port()}/x.jpg"
    plain_as_tls = f"https://127.0.0.1:{server.port}/ok.jpg"
    named = server.url("/ok.jpg", host="localhost")
    strict = CONFIG.model_copy(update={"allow_private": ("127.0.0.1/32",), "respect_robots": False})
    rows = by_url(fetch_images(wanted([refusing, plain_as_tls]), config=strict))
    assert rows[refusing]["status"] == "connect_error"
    assert rows[plain_as_tls]["status"] == "tls_error"
    public_only = CONFIG.model_copy(update={"allow_private": ()})
    before = server.requested["/ok.jpg"]
    rows = by_url(fetch_images(wanted([named, server.url("/ok.jpg")]), config=public_only))
    assert {row["status"] for row in rows.values()} == {"forbidden_address"}
    assert server.requested["/ok.jpg"] == before


def test_each_distinct_url_is_requested_once_and_copied_to_its_rows() -> None:
    url = "http://example.org/a.jpg"
    transport = FakeTransport({url: [FakeResponse(samples.jpeg())]})
    table = fetch_images(wanted([url, "http://example.org/b.jpg", url]), config=FetchConfig(), transport=transport)
    assert table["status"].to_pylist() == ["ok", "http_404", "ok"]
    assert table["doc_id"].to_pylist() == [f"{number:016x}" for number in range(3)]
    assert table["position"].to_pylist() == [3, 3, 3]
    assert table["data"][0] == table["data"][2]
    assert sorted(transport.requested) == [
        "http://example.org/.well-known/tdmrep.json",
        "http://example.org/a.jpg",
        "http://example.org/b.jpg",
        "http://example.org/robots.txt",
    ]
    assert not transport.closed


def test_no_rows_and_null_urls() -> None:
    transport = FakeTransport({})
    assert fetch_images(wanted([]), config=FetchConfig(), transport=transport).schema.equals(IMAGES)
    row = fetch_images(wanted([None]), config=FetchConfig(), transport=transport).to_pylist()[0]
    assert (row["status"], row["image_url"]) == ("bad_url", "")


def test_images_are_scaled_down_only() -> None:
    large, small = "http://example.org/large", "http://example.org/small"
    transport = FakeTransport(
        {large: [FakeResponse(samples.jpeg(size=(200, 100)))], small: [FakeResponse(samples.jpeg())]}
    )
    config = FetchConfig(resize=ResizeConfig(shorter_side=50), max_bytes_in_flight=1)
    rows = fetch_images(wanted([large, small]), config=config, transport=transport).to_pylist()
    assert [(row["width"], row["height"], row["original_width"]) for row in rows] == [(100, 50, 200), (40, 30, 40)]


def test_a_host_gets_no_more_connections_than_it_may(server: FaultServer) -> None:
    # By another name: what this process has seen of the host by its address would lower its limit.
    urls: list[str | None] = [server.url(f"/meet.jpg?{number}", host="localhost") for number in range(12)]
    config = CONFIG.model_copy(update={"per_host": 2, "allow_private": ("localhost",)})
    assert set(fetch_images(wanted(urls), config=config)["status"].to_pylist()) == {"ok"}
    assert server.most_meeting == 2


def test_bytes_are_held_against_the_hash_that_was_promised() -> None:
    url, other, html = (f"http://example.org/{name}" for name in ("a.jpg", "b.jpg", "c.jpg"))
    transport = FakeTransport(
        {url: [FakeResponse(samples.jpeg())], other: [FakeResponse(samples.jpeg())], html: [FakeResponse(b"<html>")]}
    )
    right, wrong = sha256_hex(samples.jpeg()), "0" * 64
    table = wanted([url, url, url, other, html]).append_column("expected_sha256", [[right, wrong, None, wrong, wrong]])
    rows = fetch_images(table, config=FetchConfig(), transport=transport).to_pylist()
    assert [row["status"] for row in rows] == ["ok", "hash_mismatch", "ok", "hash_mismatch", "hash_mismatch"]
    assert {row["data"] for row in rows if row["status"] != "ok"} == {None}
    assert rows[1]["detail"] == rows[3]["detail"] == f"sha256 is {right}"
    assert {(row["http_status"], row["robots"]) for row in rows} == {(200, "allowed")}
    assert transport.requested.count(url) == 1


def test_an_image_is_asked_for_with_the_first_page_that_shows_it() -> None:
    shown, alone = "http://example.org/a.jpg", "http://example.org/b.jpg"
    table = wanted([shown, shown, alone]).append_column("page_url", [[None, "https://e.example/p?q#part", None]])
    referers = []
    for send in (True, False):
        transport = FakeTransport({url: [FakeResponse(samples.jpeg())] for url in (shown, alone)})
        config = FetchConfig(send_referer=send, respect_robots=False, respect_tdmrep=False)
        assert set(fetch_images(table, config=config, transport=transport)["status"].to_pylist()) == {"ok"}
        asked = dict(zip(transport.requested, transport.headers, strict=True))
        referers.append((asked[shown].get("Referer"), asked[alone].get("Referer")))
    assert referers == [("https://e.example/", None), (None, None)]


def test_images_that_stand_in_their_page_need_no_request() -> None:
    whole = "data:image/jpeg;base64," + base64.b64encode(samples.jpeg()).decode()
    transport = FakeTransport({})
    rows = fetch_images(wanted([whole, "data:,words", "data:x"]), config=FetchConfig(), transport=transport).to_pylist()
    assert [row["status"] for row in rows] == ["ok", "not_an_image", "bad_url"]
    assert (rows[0]["data"], rows[0]["http_status"], rows[0]["width"]) == (samples.jpeg(), None, samples.WIDTH)
    assert transport.requested == []


@pytest.mark.slow
def test_a_host_with_few_requests_to_give_ends_with_all_its_images(server: FaultServer) -> None:
    urls: list[str | None] = [server.url(f"/scarce.jpg?{number}", host="localhost") for number in range(40)]
    limits = {"max_refusals": 20, "max_wait_s": 30, "per_host": 8, "backoff_s": 0.05}
    config = CONFIG.model_copy(update={**limits, "allow_private": ("localhost",)})
    table = fetch_images(wanted(urls), config=config)
    assert set(table["status"].to_pylist()) == {"ok"}
    assert server.refused > 0


def test_an_untrusted_certificate(server: FaultServer, ca_file: str) -> None:
    urls: list[str | None] = [server.tls_url("/ok.jpg")]
    assert fetch_images(wanted(urls), config=CONFIG)["status"].to_pylist() == ["tls_error"]
    reporting = CONFIG.model_copy(update={"tls": Tls.REPORT})
    row = fetch_images(wanted(urls), config=reporting).to_pylist()[0]
    assert (row["status"], row["data"], row["http_status"]) == ("ok", samples.jpeg(), 200)
    assert "certificate verify failed" in str(row["detail"])
    trusting = CONFIG.model_copy(update={"ca_file": ca_file})
    table = fetch_images(wanted(urls), config=trusting)
    assert (table["status"].to_pylist(), table["detail"].to_pylist()) == (["ok"], [None])


FAULTS_IN_A_CHILD = """
import json, resource, sys
from curate.fetch.config import FetchConfig
from curate.fetch.images import fetch_images
from pipelines.bench.fetch_ours import peak_bytes
from tests.curate.fetch.test_images import wanted
resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
statuses = {}
for config, urls in json.load(sys.stdin):
    table = fetch_images(wanted(urls), config=FetchConfig.model_validate(config))
    statuses |= dict(zip(urls, table["status"].to_pylist(), strict=True))
print(json.dumps([statuses, peak_bytes()]))
"""
ADDRESS_SPACE_BYTES = 8 << 30  # libraries and thread stacks reserve much that they never touch
PEAK_BYTES = 1 << 30
CHILD_DEADLINE_S = 150


@pytest.mark.slow
def test_no_fault_takes_a_process_beyond_its_memory_or_time(server: FaultServer) -> None:
    paths = [path for path in EXPECTED if not path.startswith("/busy")]
    fault = {server.url(path): EXPECTED[path][0] for path in paths}
    jobs = [
        (CONFIG.model_copy(update=options).model_dump(mode="json"), [server.url(path) for path in some])
        for options, some in calls(paths)
    ]
    child = subprocess.run(
        [sys.executable, "-c", FAULTS_IN_A_CHILD.replace("ADDRESS_SPACE", str(ADDRESS_SPACE_BYTES))],
        input=json.dumps(jobs),
        capture_output=True,
        text=True,
        timeout=CHILD_DEADLINE_S,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    statuses, peak = json.loads(child.stdout)
    assert statuses == fault
    assert peak < PEAK_BYTES, peak
