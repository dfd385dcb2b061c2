"""Run folder and shards on ``s3://``, against an S3-compatible server on loopback: the bytes of a local disk."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
import pytest

from shards.reader import ShardReader, read_index
from tests.integration.conftest import TIMEOUT_S
from tests.integration.ports import free_port
from tests.pipelines.corpus import SOURCES, jpeg
from tests.pipelines.web import Web, serve
from train_bridge.data.lengths import count_lengths
from train_bridge.model.tiny_model import build_tiny_processor
from train_bridge.model_config import TinyConfig
from train_bridge.tokens.encoder import TextEncoder, TextForm

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
pytest.importorskip("moto.server")
pytest.importorskip("s3fs")

START_TIMEOUT_S = 150
BUCKET = "corpora"
NUM_DOCS = 5
"""Of each source."""
RECIPE = """
partition_num_docs: 2
shards: {samples: 4}
"""
WEIGHTS = "blend.weights={interleaved: 0.2, pair: 0.4, text: 0.4}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Store:
    """A running object store."""

    environment: dict[str, str]
    """Of processes that use it."""
    files: Any
    """Its fsspec file system."""


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    """Start a server with one bucket; ``s3://`` URLs of this process go there, too."""
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    options = {"endpoint_url": endpoint, "key": "demo", "secret": "demo"}
    settings = {"AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": "demo", "AWS_SECRET_ACCESS_KEY": "demo"}
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(port, server)
        fsspec.config.conf["s3"] = options
        files = fsspec.filesystem("s3")
        files.mkdir(BUCKET)
        yield Store(environment={**settings, "AWS_DEFAULT_REGION": "us-east-1"}, files=files)
    finally:
        fsspec.config.conf.pop("s3", None)
        server.kill()
        server.wait()


def _wait_for(port: int, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except OSError:
            assert server.poll() is None, "the object store did not start"
            assert time.monotonic() < deadline, "the object store does not answer"
            time.sleep(0.1)
        else:
            return


def run_on(store: Store, *arguments: object) -> str:
    """Run the command line against the store."""
    command = [sys.executable, "-m", "pipelines.cli", *map(str, arguments)]
    finished = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=TIMEOUT_S, env={**os.environ, **store.environment}
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def contents(files: Any, root: str) -> dict[str, bytes]:
    """Return every file below ``root`` by its path there."""
    prefix = f"{files._strip_protocol(root)}/"
    return {path.removeprefix(prefix): data for path, data in files.cat(files.find(root)).items()}


@pytest.fixture(scope="module")
def both(store: Store, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Return two run folders, here and on the store, of the same small run."""
    folder = tmp_path_factory.mktemp("here")
    local, remote = str(folder / "corpus"), f"s3://{BUCKET}/corpus"
    with serve() as web:
        recipe = write_sources(folder, web)
        for out in (local, remote):
            run_on(store, "run", recipe, "--out", out, "--workers", 1)
    return local, remote


def write_sources(folder: Path, web: Web) -> Path:
    """Write a recipe and its sources: documents with two images each, captions and chats."""
    for number in range(3 * NUM_DOCS):
        web.answers[f"/{number}.jpg"] = (200, "image/jpeg", jpeg(number))
    documents = [
        {
            "url": f"http://h/{number}",
            "text_list": [f"text {number}", "and more"],
            "image_info": [
                {"raw_url": f"{web.url}/{2 * number + which}.jpg", "matched_text_index": which} for which in range(2)
            ],
        }
        for number in range(NUM_DOCS)
    ]
    chats = [{"instruction": f"say {number}", "output": str(number)} for number in range(NUM_DOCS)]
    for name, rows in (("mmc4", documents), ("flan", chats)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    captions = [f"{web.url}/{2 * NUM_DOCS + number}.jpg,picture {number}\n" for number in range(NUM_DOCS)]
    (folder / "coyo.csv").write_text("url,text\n" + "".join(captions), encoding="utf-8")
    recipe = folder / "recipe.yaml"
    recipe.write_text(SOURCES + RECIPE, encoding="utf-8")
    return recipe


def test_a_run_on_the_store_gives_the_bytes_of_a_local_one(store: Store, both: tuple[str, str]) -> None:
    local, remote = both
    wanted = contents(fsspec.filesystem("file"), f"{local}/shards/main")
    assert any(name.endswith(".tar") for name in wanted)
    assert contents(store.files, f"{remote}/shards/main") == wanted
    assert "good" in run_on(store, "verify", remote, "--deep")


def test_another_blend_is_planned_and_written_there(store: Store, both: tuple[str, str]) -> None:
    _, remote = both
    before = store.files.find(remote)
    assert "no shard was written" in run_on(store, "blend", remote, "--dry-run", "--set", WEIGHTS)
    assert store.files.find(remote) == before
    run_on(store, "blend", remote, "--name", "texts", "--set", WEIGHTS, "--workers", 1)
    assert "good" in run_on(store, "verify", f"{remote}/shards/texts")


def test_samples_are_read_by_range(both: tuple[str, str]) -> None:
    here, there = (f"{root}/shards/main" for root in both)
    rows = read_index(there).to_pylist()
    assert rows == read_index(here).to_pylist()
    with ShardReader(there) as remote, ShardReader(here) as local:
        for row in rows:
            assert remote.read(row, check_images=True) == local.read(row)


def test_the_trainer_counts_the_same_tokens(both: tuple[str, str], tmp_path: Path) -> None:
    processor = build_tiny_processor(TinyConfig(), texts=["a red circle above a blue square"] * 50)
    encoder = TextEncoder(processor.tokenizer, form=TextForm())
    here, there = (
        Path(count_lengths(f"{root}/shards/main", encoder=encoder, cache_dir=str(tmp_path / str(number))))
        for number, root in enumerate(both)
    )
    assert here.name == there.name
    assert here.read_bytes() == there.read_bytes()
