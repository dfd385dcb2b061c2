"""A real web site, where its folder is at hand."""

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.dataset as ds
import pytest

from curate.report.ledger import check_ledger
from tests.integration.conftest import run_curate

REAL = Path(__file__).parents[3] / "shared" / "real"
URL = "http://127.0.0.1:8765/robots.txt"
START_TIMEOUT_S = 60
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not REAL.exists(), reason="the real web site is not here"),
]
RECIPE = """
sources:
  - {name: lessons, type: pages, path: %(real)s/pages.txt}
  - {name: pairs, type: pairs, path: %(real)s/pairs.parquet}
  - {name: quiz, type: instructions, path: %(real)s/instructions.jsonl}
admit:
  text.language: {allow: [en], kinds: [interleaved]}
  url.tokens: {deny: [logo, icon]}
fetch: {allow_private: [127.0.0.1], per_host: 32, retries: 0}
keep: {image.size: {min: 150}, doc.images: {min: 1, max: 30}}
dedup: {mode: ordered, image: {exact: true}}
"""


@pytest.fixture(scope="module")
def real_web() -> Iterator[None]:
    with subprocess.Popen([sys.executable, str(REAL / "serve.py")], stdout=subprocess.DEVNULL) as server:
        try:
            wait_for_server()
            yield
        finally:
            server.terminate()


def wait_for_server() -> None:
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            urllib.request.urlopen(URL, timeout=5).close()
        except OSError:
            assert time.monotonic() < deadline_s, "the web site does not answer"
            time.sleep(0.1)
        else:
            return


@pytest.mark.usefixtures("real_web")
def test_a_real_site_ends_in_shards_and_a_ledger_that_adds_up(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(RECIPE % {"real": REAL})
    out = tmp_path / "out"
    run_curate("run", tmp_path / "recipe.yaml", "--out", out, "--workers", 2, "--limit", 150)
    run_curate("verify", out)
    ledger = json.loads((out / "ledger.json").read_text())
    assert check_ledger(ledger) == []
    assert ledger["sources"]["lessons"]["documents"]["in"] == 150
    images = ledger["totals"]["images"]["rejected"]
    assert images["fetch.http_404"] > 0
    items = ds.dataset(out / "ingest" / "items").to_table()
    urls = pc.drop_null(items["image_url"]).to_pylist()
    assert len(urls) > 300
    assert not [url for url in urls if "/frame/" in url]
    texts = set(pc.drop_null(items["text"]).to_pylist())
    assert not texts & {"Subscribe to our newsletter", "Accept cookies to continue.", "Teachers"}
    stored = ds.dataset(out / "fetch" / "images").to_table(columns=["image_url", "status"])
    sketchnotes = stored.filter(pc.match_substring(stored["image_url"], "/sketchnotes/"))
    assert set(sketchnotes["status"].to_pylist()) == {"robots_disallowed"}
