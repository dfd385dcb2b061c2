"""Training from an object store that fails on the way: waited for, or saved, named and ended with 1."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fsspec
import pytest
import yaml

from tests.train_bridge.conftest import make_sample, stage_config, write_set
from train_bridge.training.metrics import read_metrics

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
pytest.importorskip("s3fs")
moto_server = pytest.importorskip("moto.server")
serving = pytest.importorskip("werkzeug.serving")

NUM_STEPS = 12
OUTAGE_S = float(os.environ.get("TRAIN_BRIDGE_OUTAGE_S", "3"))
"""How long the store answers 503; longer by hand."""
DEADLINE_S = 300
ERROR = "<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
Answer = Callable[[Any, Callable[..., Any]], Iterable[bytes]]


@dataclass
class Faults:
    """What stands before the store; reads are counted, and from one on go wrong."""

    app: Answer
    num_reads: int = 0
    reads_before: int | None = None
    kind: str = ""
    since_s: float = 0.0
    released: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, environ: Any, start: Callable[..., Any]) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "GET" and environ["PATH_INFO"].endswith(".tar"):
            with self.lock:
                self.num_reads += 1
                is_due = self.reads_before is not None and self.num_reads > self.reads_before
                if is_due and not self.since_s:
                    self.since_s = time.monotonic()
            if is_due and self.kind == "expire":
                return refuse(start, "400 Bad Request", "ExpiredToken", "The provided token has expired.")
            if is_due and self.kind == "outage" and time.monotonic() < self.since_s + OUTAGE_S:
                return refuse(start, "503 Service Unavailable", "SlowDown", "Please reduce your request rate.")
            if is_due and self.kind == "hang":
                self.released.wait(DEADLINE_S)
        return self.app(environ, start)

    def plan(self, kind: str, *, after: int) -> None:
        self.kind, self.reads_before, self.since_s = kind, self.num_reads + after, 0.0
        self.released.clear()

    def heal(self) -> None:
        self.reads_before = None
        self.released.set()


def refuse(start: Callable[..., Any], status: str, code: str, message: str) -> Iterable[bytes]:
    start(status, [("Content-Type", "application/xml")])
    return [ERROR.format(code=code, message=message).encode()]


@dataclass(frozen=True, kw_only=True)
class Job:
    """A stage over shards in the store."""

    stage: str
    faults: Faults
    environment: dict[str, str]
    reads_before_steps: int
    reads_of_steps: int
    losses: list[float]
    """Of the undisturbed run."""

    def break_amid_steps(self, kind: str) -> None:
        self.faults.plan(kind, after=self.reads_before_steps + self.reads_of_steps // 2)


def train(stage: str, environment: dict[str, str], *options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "train_bridge", stage, *options]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=DEADLINE_S, check=False)


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Job]:
    folder = tmp_path_factory.mktemp("storage")
    local = write_set(folder / "set", [make_sample(number) for number in range(48)])
    faults = Faults(moto_server.DomainDispatcherApplication(moto_server.create_backend_app))
    server = serving.make_server("127.0.0.1", 0, faults, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    keys = {"key": "demo", "secret": "demo"}
    files = fsspec.filesystem("s3", endpoint_url=endpoint, skip_instance_cache=True, **keys)
    files.mkdir("corpora")
    files.put(local, "corpora/set", recursive=True)
    names = {"AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": keys["key"], "AWS_SECRET_ACCESS_KEY": keys["secret"]}
    environment = os.environ | names | {"AWS_DEFAULT_REGION": "us-east-1", "OMP_NUM_THREADS": "1"}
    config = stage_config(
        "s3://corpora/set",
        folder / "whole",
        optim={"max_steps": NUM_STEPS},
        run={
            "cache_dir": str(folder / "cache"),
            "checkpoint_every": 1000,
            "num_workers": 2,
            "read_ahead": 1,
            "read_patience_s": 30,
        },
    )
    stage = folder / "stage.yaml"
    stage.write_text(yaml.safe_dump(config.model_dump(mode="json")))
    try:
        assert train(str(stage), environment, "--plan-only").returncode == 0  # counts the tokens
        before = faults.num_reads
        assert train(str(stage), environment, "--plan-only").returncode == 0
        start = faults.num_reads
        assert train(str(stage), environment).returncode == 0
        yield Job(
            stage=str(stage),
            faults=faults,
            environment=environment,
            reads_before_steps=start - before,
            reads_of_steps=faults.num_reads - start - (start - before),
            losses=[record["loss"] for record in read_metrics(folder / "whole")],
        )
    finally:
        faults.heal()
        server.shutdown()


def losses_of(output: Path) -> list[float]:
    return [record["loss"] for record in read_metrics(output)]


def test_an_outage_is_waited_for(job: Job, tmp_path: Path) -> None:
    job.break_amid_steps("outage")
    patience = ["--set", f"run.read_patience_s={int(OUTAGE_S) + 30}"]
    done = train(job.stage, job.environment, "--set", f"output={tmp_path}", *patience)
    assert done.returncode == 0, done.stderr
    assert job.faults.since_s
    assert losses_of(tmp_path) == pytest.approx(job.losses, abs=1e-5)


@pytest.mark.parametrize(("kind", "reason"), [("expire", "The provided token has expired"), ("hang", "no answer")])
def test_what_does_not_come_back_ends_the_run_saved_and_named(job: Job, tmp_path: Path, kind: str, reason: str) -> None:
    job.break_amid_steps(kind)
    options = ["--set", f"output={tmp_path}", "--set", "run.read_patience_s=2"]
    done = train(job.stage, job.environment, *options)
    job.faults.heal()
    assert done.returncode == 1, done.stdout
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error")]
    assert "rank 0" in line
    assert "s3://corpora/set" in line
    assert ".tar" in line
    assert reason in line
    assert not (tmp_path / "final").exists()
    learned = losses_of(tmp_path)
    assert learned == pytest.approx(job.losses[: len(learned)], abs=1e-5)
    assert 0 < len(learned) < NUM_STEPS
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == [f"step-{len(learned):08d}"]
    assert train(job.stage, job.environment, *options, "--resume").returncode == 0
    assert losses_of(tmp_path) == pytest.approx(job.losses, abs=1e-5)
