"""The driver holds at most 100 bytes a document, through deciding, blending, writing, accounting and verifying."""

import io
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from curate.contract.schemas import table_from_rows
from pipelines.account import account_for
from pipelines.build import decide_and_write, open_workers
from pipelines.engine.cluster import connect
from pipelines.run import tables
from pipelines.run.context import RunContext
from pipelines.run.mapped import ClusterOptions
from pipelines.run.progress import Progress
from pipelines.verify import verify
from tests.pipelines.corpus import MADE_FROM, Row, make_context, measured

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
NUM_DOCS = 300
"""Of a partition; 1,000 are usual."""
NUM_PARTITIONS = (200, 1000)
MAX_BYTES = 100
"""Of a document, in the driver."""


def test_the_driver_grows_by_less_than_a_hundred_bytes_a_document(tmp_path: Path) -> None:
    drivers = [begin(tmp_path / str(number), number) for number in NUM_PARTITIONS]
    peaks = [int(driver.communicate(timeout=280)[0].splitlines()[-1]) for driver in drivers]
    assert [driver.returncode for driver in drivers] == [0, 0]
    num_more = (NUM_PARTITIONS[1] - NUM_PARTITIONS[0]) * NUM_DOCS
    assert (peaks[1] - peaks[0]) / num_more < MAX_BYTES


def begin(folder: Path, num_partitions: int) -> "subprocess.Popen[str]":
    """Start the process of a driver; its last line is the most that it ever held, in bytes."""
    command = [sys.executable, "-m", __name__, str(folder), str(num_partitions)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def drive(folder: Path, num_partitions: int) -> None:
    """Be the driver of a run that has been measured."""
    context = make_context(folder, "dedup: {}\nshards: {samples: 20000}\n")
    names = [f"flan-00000-{number:05d}" for number in range(num_partitions)]
    for number, name in enumerate(names):
        write_texts(context, name, number)
    manifest = measured(context, *names)
    with (
        connect(scheduler=None, num_workers=2, gpus=0, memory_limit="auto") as client,
        Progress(None, console=Console(file=io.StringIO())) as progress,
    ):
        workers = open_workers(client, context, progress)
        account = account_for(workers, context, decide_and_write(workers, context, manifest).decided)
        assert account.ledger["totals"]["documents"]["kept"] == num_partitions * NUM_DOCS
        assert verify(str(folder), cluster=ClusterOptions(scheduler=client.scheduler.address)) == []


def write_texts(context: RunContext, partition: str, number: int) -> None:
    """Write a partition of short conversations, which are cheap to make, to write and to verify."""
    doc_ids = [f"{number:08x}{row:08x}" for row in range(NUM_DOCS)]
    documents: list[Row] = [{"doc_id": doc_id, "source": "flan", "kind": "text", "meta": "{}"} for doc_id in doc_ids]
    items: list[Row] = [
        {"doc_id": doc_id, "position": 0, "modality": "text", "text": "yes", "role": "assistant"} for doc_id in doc_ids
    ]
    texts: list[Row] = [
        {"doc_id": doc_id, "position": position, "lang": "en", "lang_prob": 0.9, "num_words": 1, "num_chars": 3}
        | {"replacement_ratio": 0.0}
        for doc_id in doc_ids
        for position in (-1, 0)
    ]
    rows = {tables.DOCUMENTS: documents, tables.ITEMS: items, tables.TEXT_MEASURES: texts}
    for table in (tables.IMAGES, tables.IMAGE_MEASURES, tables.INGEST_VERDICTS):
        rows[table] = []
    for table, own in rows.items():
        context.folder.write(table, partition, rows=table_from_rows(own, table.schema), made_from=MADE_FROM)


if __name__ == "__main__":
    drive(Path(sys.argv[1]), int(sys.argv[2]))
    told = Path("/proc/self/status").read_text().splitlines()
    sys.stdout.write(f"{next(int(line.split()[1]) for line in told if line.startswith('VmHWM:')) * 1024}\n")
