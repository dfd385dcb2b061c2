"""A small demo world on a loopback server, and the command line run over it."""

import importlib.resources
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipelines.demo.server import DemoServer, serve
from pipelines.demo.world import World, build_world
from tests.integration.ports import free_port

NUM_DOCS = 80
TIMEOUT_S = 400
"""For one command, on a machine that is busy with other things."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LiveWorld:
    """A world that is being served."""

    world: World
    server: DemoServer
    recipe: Path


@pytest.fixture(scope="session")
def live_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveWorld]:
    """Draw and serve a world."""
    port = free_port()
    folder = tmp_path_factory.mktemp("world")
    world = build_world(folder, num_docs=NUM_DOCS, seed=3, base_url=f"http://127.0.0.1:{port}")
    recipe = folder / "recipe.yaml"
    text = (importlib.resources.files("pipelines") / "recipes" / "demo.yaml").read_text()
    # Small partitions and shards, so that there are several of each.
    text = text.replace("partition_num_docs: 50", "partition_num_docs: 10").replace("samples: 200", "samples: 20")
    recipe.write_text(text)
    with serve(folder, port=port) as server:
        yield LiveWorld(world=world, server=server, recipe=recipe)


def start_curate(*arguments: object) -> "subprocess.Popen[str]":
    """Start the command line in a process group of its own."""
    command = [sys.executable, "-m", "pipelines.cli", *map(str, arguments)]
    environment = {**os.environ, "COLUMNS": "200"}
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env=environment,
    )


def run_curate(*arguments: object, expect: int = 0) -> str:
    """Run the command line to its end, check its exit code and return its output."""
    with start_curate(*arguments) as process:
        output, _ = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == expect, output
    return output


@pytest.fixture(scope="session")
def corpus(live_world: LiveWorld, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of an undisturbed run with two workers."""
    out = tmp_path_factory.mktemp("two") / "corpus"
    run_curate("run", live_world.recipe, "--out", out, "--workers", 2)
    return out
