"""Images per second of one client process, beside img2dataset: one URL list, one loopback server, taken in turns.

What is counted begins after each client's imports and a small warm-up and ends when its output is on disk. Rows ending
in `-per-core` divide by the client's processor time instead, which a busy machine disturbs less.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from curate.contract.errors import CurateError
from pipelines.bench.authority import Certificates, make_certificates
from pipelines.bench.decode import SIZES
from pipelines.bench.peer_env import peer_python
from pipelines.bench.pictures import photo_jpeg
from pipelines.bench.row import BenchRow, compare
from pipelines.engine.cluster import worker_environment

OURS = "ours"
IMG2DATASET = "img2dataset 1.47.0"
SMALL_SIZE = (560, 420)
"""Width and height, px, of pictures whose files have 50 to 58 KB."""
NUM_WARM_UP = 32
CONCURRENCY = 256
"""Requests in flight of both: the default of both."""
PARTITION = 1000
"""URLs per call and output file of both."""
NUM_RUNS = 3
TIMEOUT_S = 300
MEGABYTE = 1e6


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """What is fetched, and how it is stored."""

    name: str
    scheme: str
    bodies: str
    num_urls: int
    shorter_side: int | None


CASES = (
    Case(name="https-small", scheme="https", bodies="small", num_urls=1000, shorter_side=None),
    Case(name="http-resize", scheme="http", bodies="half", num_urls=2000, shorter_side=256),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What one client has printed about one run."""

    client: str
    case: str
    images_per_core_s: float
    peak_mb: float


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A running server, the clients' folder, and what they have said so far."""

    folder: Path
    bases: dict[str, str]
    certificates: Certificates
    said: list["Said"] = field(default_factory=list)


def bench_fetch() -> list[BenchRow]:
    """Measure both cases and the peak memory of the client processes over both."""
    python = peer_python("img2dataset", IMG2DATASET.replace(" ", "=="))
    with tempfile.TemporaryDirectory() as name, _serve(Path(name)) as bench:
        rows = [row for case in CASES for row in (_bench_case(case, bench, python), _per_core_row(case, bench))]
        return [*rows, _memory_row(bench)]


def _bench_case(case: Case, bench: Bench, python: Path | None) -> BenchRow:
    ours = [sys.executable, "-m", "pipelines.bench.fetch_ours"]
    theirs = [str(python), str(Path(__file__).with_name("fetch_img2dataset.py"))]
    return compare(
        "fetch",
        case.name,
        unit="images/s",
        ours=partial(_run_client, OURS, ours, case, bench),
        peer=IMG2DATASET,
        theirs=partial(_run_client, IMG2DATASET, theirs, case, bench) if python is not None else None,
        num_runs=NUM_RUNS,
    )


def _run_client(name: str, command: list[str], case: Case, bench: Bench) -> float:
    with tempfile.TemporaryDirectory(dir=bench.folder) as out:
        job = Path(out, "job.json")
        job.write_text(json.dumps(_job(case, bench, out)))
        environ = {"SSL_CERT_FILE": str(bench.certificates.bundle), "NO_ALBUMENTATIONS_UPDATE": "1"}
        if name == OURS:
            environ |= worker_environment()  # as in a run
        done = subprocess.run(  # noqa: S603 - our own command
            [*command, str(job)], env=os.environ | environ, stdout=subprocess.PIPE, timeout=TIMEOUT_S, check=False
        )
    if done.returncode != 0:
        raise CurateError(f"bench fetch: {name} ended with {done.returncode} in case {case.name}")
    said = json.loads(done.stdout.splitlines()[-1])
    bench.said.append(
        Said(
            client=name,
            case=case.name,
            images_per_core_s=said["images"] / said["cpu_seconds"],
            peak_mb=said["peak_bytes"] / MEGABYTE,
        )
    )
    if said["images"] != case.num_urls:
        sys.stderr.write(f"{case.name}: {name} has {said['images']} of {case.num_urls} images\n")
    return float(said["images"] / said["seconds"])


def _job(case: Case, bench: Bench, out: str) -> dict[str, object]:
    base = f"{bench.bases[case.scheme]}/{case.bodies}"
    return {
        "urls": [f"{base}/{number}.jpg" for number in range(case.num_urls)],
        "warm_up": [f"{base}/{case.num_urls + number}.jpg" for number in range(NUM_WARM_UP)],
        "out": out,
        "partition": PARTITION,
        "concurrency": CONCURRENCY,
        "shorter_side": case.shorter_side,
        "config": {
            "concurrency": CONCURRENCY,
            "per_host": CONCURRENCY,  # the list is of one host, which is ours
            "allow_private": ["127.0.0.1"],
            "ca_file": str(bench.certificates.bundle),
            "resize": None if case.shorter_side is None else {"shorter_side": case.shorter_side},
        },
    }


def _per_core_row(case: Case, bench: Bench) -> BenchRow:
    ours, theirs = (
        [said.images_per_core_s for said in bench.said if (said.client, said.case) == (client, case.name)][1:]
        for client in (OURS, IMG2DATASET)
    )
    peer_value = statistics.median(theirs) if theirs else None
    our_value = statistics.median(ours)
    return BenchRow(
        bench="fetch",
        case=f"{case.name}-per-core",
        unit="images/s of one core",
        ours=our_value,
        peer=IMG2DATASET,
        peer_value=peer_value,
        ratio=our_value / peer_value if peer_value else None,
        runs=len(ours),
    )


def _memory_row(bench: Bench) -> BenchRow:
    ours, theirs = ([said.peak_mb for said in bench.said if said.client == client] for client in (OURS, IMG2DATASET))
    peer_value = max(theirs) if theirs else None
    return BenchRow(
        bench="fetch",
        case="peak-memory",
        unit="MB",
        ours=max(ours),
        peer=IMG2DATASET,
        peer_value=peer_value,
        ratio=peer_value / max(ours) if peer_value else None,
        runs=len(ours),
    )


@contextmanager
def _serve(folder: Path) -> Iterator[Bench]:
    for number in range(8):
        (folder / f"small-{number}.jpg").write_bytes(photo_jpeg(*SMALL_SIZE, seed=number))
    for number, size in enumerate(SIZES["0.5mp"]):
        (folder / f"half-{number}.jpg").write_bytes(photo_jpeg(*size, seed=number))
    certificates = make_certificates(folder)
    command = [sys.executable, "-m", "pipelines.bench.image_server", folder, certificates.cert, certificates.key]
    with subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:  # noqa: S603
        assert server.stdin is not None  # noqa: S101 - both are pipes
        assert server.stdout is not None  # noqa: S101
        try:
            yield Bench(folder=folder, bases=json.loads(server.stdout.readline()), certificates=certificates)
        finally:
            server.stdin.close()
