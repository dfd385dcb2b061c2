from pathlib import Path

import pytest

from pipelines.bench.scale import measure
from pipelines.bench.scale.measure import PEER_S, Bench, ScaleOptions, rows_of
from tests.pipelines.in_process import InProcess


@pytest.mark.parametrize("with_cosine", [True, False])
def test_every_case_is_timed_with_its_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, with_cosine: bool
) -> None:
    monkeypatch.setattr(measure, "PARTITION_NUM_DOCS", 20)
    options = ScaleOptions(num_docs=60, with_cosine=with_cosine)
    rows = list(rows_of(Bench(workers=InProcess(), root=str(tmp_path), options=options, processes=())))
    timed = [row["case"] for row in rows if row["unit"] == "s/M docs"]
    expected = {*PEER_S, "write-shards"} - (set() if with_cosine else {"decide-first-cosine"})
    assert set(timed) == expected
    assert len(rows) == 3 * len(expected)
    assert all(row["ours"] > 0 for row in rows if not row["case"].endswith("worker"))
    assert {row["case"] for row in rows if row["ratio"] is not None} == expected - {"write-shards"}
