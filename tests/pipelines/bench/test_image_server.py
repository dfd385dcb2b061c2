import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from pipelines.bench.fetch import Bench, _serve
from pipelines.bench.image_server import DELAY_S

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("bodies")
    for number in range(2):
        (folder / f"tiny-{number}.jpg").write_bytes(b"body %d" % number)
    with _serve(folder) as running:
        yield running


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=60) as response:  # noqa: S310 - of our own server
        assert response.headers["Content-Type"] == "image/jpeg"
        return bytes(response.read())


def test_bodies_take_turns_and_come_late(bench: Bench) -> None:
    started_s = time.monotonic()
    bodies = [get(f"{bench.bases['http']}/tiny/{number}.jpg") for number in range(3)]
    assert bodies == [b"body 0", b"body 1", b"body 0"]
    assert time.monotonic() - started_s >= 3 * DELAY_S


def test_other_paths_are_not_there(bench: Bench) -> None:
    for path in ("/robots.txt", "/none/1.jpg", "/tiny/x.jpg"):
        with pytest.raises(urllib.error.HTTPError) as caught:
            get(bench.bases["http"] + path)
        assert caught.value.code == 404
        caught.value.close()


def test_the_other_port_speaks_tls(bench: Bench) -> None:
    with pytest.raises(urllib.error.URLError) as caught:
        get(f"{bench.bases['https']}/tiny/0.jpg")
    assert "CERTIFICATE_VERIFY_FAILED" in str(caught.value)
