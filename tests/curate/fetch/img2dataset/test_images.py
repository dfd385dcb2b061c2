import io
import os

import pyarrow as pa
import pytest
from PIL import Image

from curate.contract.ids import sha256_hex
from curate.contract.schemas import IMAGES, check_schema
from curate.fetch.config import FetchConfig, ResizeConfig
from curate.fetch.img2dataset.images import _Shard, fetch_images_by_img2dataset
from tests.curate.fetch import samples
from tests.curate.fetch.fault_server import FaultServer, unused_port
from tests.curate.fetch.test_images import by_url, wanted

pytest.importorskip("imghdr", reason="Python 3.13 has no imghdr", exc_type=ImportError)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.timeout(300),  # importing what img2dataset imports
]

CONFIG = FetchConfig(
    backend="img2dataset",
    allow_private=("127.0.0.1",),
    concurrency=32,
    timeout_s=30,  # what answers does so in time on a busy machine, too
    max_bytes="2MB",
    respect_robots=False,
    respect_tdmrep=False,
    respect_content_usage=False,
    use_proxies=False,
)

SLOW = ("/hang.jpg", "/drip.jpg")
SLOW_TIMEOUT_S = 3.0

EXPECTED: dict[str, tuple[str, int | None]] = {
    "/ok.jpg": ("ok", 200),
    "/404.jpg": ("http_404", 404),
    "/410.jpg": ("http_410", 410),
    "/403.jpg": ("http_4xx", 403),
    "/500.jpg": ("http_5xx", 500),
    "/429.jpg": ("http_429", 429),
    "/busy-503.jpg": ("http_5xx", 503),
    "/reset.jpg": ("connect_error", None),
    "/hang.jpg": ("timeout", None),
    "/drip.jpg": ("timeout", 200),
    "/endless.jpg": ("too_large", 200),
    "/short.jpg": ("truncated_body", 200),
    "/not-http.jpg": ("protocol_error", None),
    "/noai.jpg": ("opted_out", 200),
    "/moved.jpg": ("ok", 200),
    "/loop.jpg": ("too_many_redirects", 302),
    "/to-file.jpg": ("bad_url", 302),
    "/to-private.jpg": ("forbidden_address", None),
    "/to-mapped.jpg": ("forbidden_address", None),
    "/html.jpg": ("not_an_image", 200),
    "/drawing.svg": ("not_an_image", 200),
    "/truncated.jpg": ("broken_image", 200),
    "/bomb-rgba.png": ("too_many_pixels", 200),
    "/bomb-1bit.png": ("too_many_pixels", 200),
    "/cmyk.jpg": ("ok", 200),
    "/rotated.jpg": ("ok", 200),
    "/gray16.png": ("ok", 200),
    "/empty.jpg": ("empty_body", 200),
    "/a b/bild-ü.jpg": ("ok", 200),
    "/" + "x" * 10_000: ("bad_url", None),
}


@pytest.fixture(scope="module")
def fetched(server: FaultServer) -> dict[str, dict[str, object]]:
    rows: dict[str, dict[str, object]] = {}
    for timeout_s, paths in ((CONFIG.timeout_s, EXPECTED.keys() - {*SLOW}), (SLOW_TIMEOUT_S, SLOW)):
        urls: list[str | None] = [server.url(path) for path in sorted(paths)]
        table = fetch_images_by_img2dataset(wanted(urls), config=CONFIG.model_copy(update={"timeout_s": timeout_s}))
        check_schema(table, IMAGES, where="test")
        rows |= by_url(table)
    return rows


@pytest.mark.parametrize("path", EXPECTED, ids=lambda path: path[:40])
def test_free_text_becomes_a_status(path: str, fetched: dict[str, dict[str, object]], server: FaultServer) -> None:
    row = fetched[server.url(path)]
    assert (row["status"], row["http_status"]) == EXPECTED[path], row["detail"]
    assert (row["detail"] is None) == (row["status"] == "ok")


def test_stored_images_are_what_their_columns_say(fetched: dict[str, dict[str, object]]) -> None:
    stored = [row for row in fetched.values() if row["status"] == "ok"]
    assert len(stored) == 6
    for row in stored:
        data = row["data"]
        assert isinstance(data, bytes)
        assert (row["image_id"], row["num_bytes"], row["format"]) == (sha256_hex(data), len(data), "jpg")
        image = Image.open(io.BytesIO(data))
        assert (image.format, image.size) == ("JPEG", (row["width"], row["height"]))
        assert image.getexif().get(0x0112, 1) == 1


def test_the_original_is_remembered(fetched: dict[str, dict[str, object]], server: FaultServer) -> None:
    row = fetched[server.url("/ok.jpg")]
    assert (row["original_sha256"], row["original_num_bytes"]) == (sha256_hex(samples.jpeg()), len(samples.jpeg()))
    assert (row["original_width"], row["original_height"]) == (40, 30)
    assert row["fetched_at"] is not None
    assert row["robots"] is row["x_robots_tag"] is None


def test_standard_output_is_where_it_was(
    fetched: dict[str, dict[str, object]], capfd: pytest.CaptureFixture[str]
) -> None:
    assert fetched
    os.write(1, b"out")
    os.write(2, b"err")
    assert capfd.readouterr() == ("out", "err")


def test_repeated_urls_hashes_and_sizes(server: FaultServer) -> None:
    url, other = server.lone_url("/ok.jpg"), f"http://127.0.0.1:{unused_port()}/x.jpg"
    before = server.requested["/ok.jpg"]
    table = wanted([url, url, other, None]).append_column(
        "expected_sha256", pa.array([sha256_hex(samples.jpeg()), "0" * 64, None, None])
    )
    config = CONFIG.model_copy(update={"resize": ResizeConfig(shorter_side=15)})
    rows = fetch_images_by_img2dataset(table, config=config).to_pylist()
    assert [row["status"] for row in rows] == ["ok", "hash_mismatch", "connect_error", "bad_url"]
    assert (rows[0]["width"], rows[0]["height"], rows[0]["original_width"]) == (20, 15, 40)
    assert server.requested["/ok.jpg"] == before + 1


def test_nothing_wanted() -> None:
    assert fetch_images_by_img2dataset(wanted([]), config=CONFIG).schema.equals(IMAGES)


def test_a_url_that_img2dataset_loses_has_a_row() -> None:
    shard = _Shard(urls=["a", "b"], config=CONFIG)
    shard.write(None, "1", None, {"status": "failed_to_download", "error_message": "something new"})
    rows = shard.rows_by_url()
    assert [(row["status"], row["detail"]) for row in rows.values()] == [
        ("internal_error", "img2dataset has lost this URL"),
        ("protocol_error", "something new"),
    ]
