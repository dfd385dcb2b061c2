"""A finished corpus: truth, ledger, verification, other readers, other blends."""

import gc
import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import pytest
import webdataset

from curate.report.ledger import check_ledger
from pipelines.demo.evaluate import evaluate
from tests.integration.conftest import NUM_DOCS, LiveWorld, run_curate

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def read_ledger(out: Path) -> dict[str, Any]:
    ledger: dict[str, Any] = json.loads((out / "ledger.json").read_text())
    return ledger


def test_the_run_agrees_with_the_truth(live_world: LiveWorld, corpus: Path) -> None:
    figures = evaluate(corpus, live_world.world, request_counts=live_world.server.count_requests())
    missed = [figure for figure in figures if not figure.passed]
    assert not missed
    targets = {figure.name for figure in figures if figure.target is not None and figure.value is not None}
    assert {
        "images assigned to their own sentence",
        "planted exact duplicates found",
        "wrong-language documents rejected",
        "logos and tracking pixels rejected",
        "dead URLs counted",
        "disallowed by robots.txt, not requested",
    } <= targets


def test_the_ledger_adds_up(corpus: Path) -> None:
    ledger = read_ledger(corpus)
    assert check_ledger(ledger) == []
    assert sum(counts["documents"]["in"] for counts in ledger["sources"].values()) == NUM_DOCS


def test_webdataset_reads_what_the_manifest_says(corpus: Path) -> None:
    folder = corpus / "shards" / "main"
    manifest = json.loads((folder / "manifest.json").read_text())
    urls = [str(folder / shard["name"]) for shard in manifest["shards"]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # webdataset leaves its files to the garbage collector
        samples = list(webdataset.WebDataset(urls, shardshuffle=False))
        gc.collect()
    assert len(samples) == manifest["totals"]["num_samples"]
    assert sum(key.endswith(".jpg") for sample in samples for key in sample) == manifest["totals"]["num_images"]


def test_verify_names_the_shard_with_a_flipped_byte(corpus: Path, tmp_path: Path) -> None:
    run_curate("verify", corpus)
    copy = tmp_path / "copy"
    shutil.copytree(corpus, copy)
    shard = copy / "shards" / "main" / "00001.tar"
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    assert "00001.tar" in run_curate("verify", copy, expect=1)


def test_another_blend_stands_beside_the_first(live_world: LiveWorld, corpus: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(corpus, copy)
    before = live_world.server.count_requests()
    run_curate("blend", copy, "--set", "blend.weights={text: 0.5, interleaved: 0.5}")
    after = live_world.server.count_requests()
    assert before.keys() == after.keys()
    run_curate("verify", copy)
    assert {path.name for path in (copy / "shards").iterdir()} == {"main", "main-2"}
    pairs = read_ledger(copy)["sources"]["pairs"]["documents"]
    assert pairs["kept"] == 0
    assert pairs["rejected"]["blend.not_drawn"] > 0
