from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.contract.errors import ShardError
from shards import distinct
from shards.distinct import DocumentCounts, count_documents, number_documents
from shards.reader import read_index


def write_index(folder: Path, documents: list[tuple[str, str, int]], *, group_rows: int = 3) -> None:
    index = read_index(str(folder))
    row = index.to_pylist()[0]
    rows = [{**row, "source": source, "doc_id": doc_id, "num_images": n} for source, doc_id, n in documents]
    pq.write_table(pa.Table.from_pylist(rows, schema=index.schema), folder / "index.parquet", row_group_size=group_rows)


DOCUMENTS = [
    ("web", f"{7:016x}", 2),
    ("web", "a name of its own", 1),
    ("flan", f"{7:016x}", 0),
    ("web", f"{7:016x}", 3),
    ("web", f"{8:016x}", 1),
    ("web", "a name of its own", 1),
    ("web", f"{8:016x}", 1),
]
COUNTS = {"web": DocumentCounts(documents=3, images=5), "flan": DocumentCounts(documents=1, images=0)}


@pytest.mark.parametrize(("round_samples", "task_samples"), [(100, 100), (2, 2), (1, 1)])
def test_a_document_counts_once_with_the_most_images_it_has_in_any_number_of_rounds(
    shard_set: Path, round_samples: int, task_samples: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distinct, "ROUND_SAMPLES", round_samples)
    monkeypatch.setattr(distinct, "TASK_SAMPLES", task_samples)
    write_index(shard_set, DOCUMENTS)
    assert count_documents(str(shard_set)) == COUNTS


def test_no_round_holds_more_than_its_part_of_the_samples(shard_set: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distinct, "ROUND_SAMPLES", 50)
    monkeypatch.setattr(distinct, "TASK_SAMPLES", 40)
    write_index(shard_set, [("web", f"{n:016x}", 1) for n in range(400)], group_rows=20)
    held: list[int] = []

    def weigh(call: Callable[[Any], Any], jobs: Mapping[str, Any], *, phase: str) -> Iterator[Any]:
        assert phase == "documents of the index"
        found = [call(job) for job in jobs.values()]
        held.append(sum(len(numbers) for one in found for numbers, _ in one.values()))
        return iter(found)

    assert count_documents(str(shard_set), map_tasks=weigh) == {"web": DocumentCounts(documents=400, images=400)}
    assert held == [50] * 8


def test_an_empty_index_has_no_documents_and_a_missing_one_is_an_error(shard_set: Path) -> None:
    write_index(shard_set, [])
    assert count_documents(str(shard_set)) == {}
    (shard_set / "index.parquet").unlink()
    with pytest.raises(ShardError, match=r"no index\.parquet here"):
        count_documents(str(shard_set))


def test_an_index_that_breaks_while_it_is_read_is_an_error(shard_set: Path) -> None:
    def spoil(call: Callable[[Any], Any], jobs: Mapping[str, Any], *, phase: str) -> Iterator[Any]:
        del phase
        (shard_set / "index.parquet").write_bytes(b"PAR1")
        return map(call, jobs.values())

    with pytest.raises(ShardError, match="not a readable shard index"):
        count_documents(str(shard_set), map_tasks=spoil)


def test_ids_of_ours_are_numbers_already_and_others_hashed() -> None:
    ids = ["00000000000000ff", "00000000000000FF", "x", "", "x"]
    numbers = number_documents(pa.array(ids))
    assert numbers.dtype == np.uint64
    assert numbers[0] == 255
    assert numbers[2] == numbers[4]
    assert len(np.unique(numbers)) == 4
