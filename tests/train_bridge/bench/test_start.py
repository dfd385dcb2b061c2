from pathlib import Path

import pyarrow as pa
import pytest

from train_bridge.bench.loader import SMALL, make_spec
from train_bridge.bench.start import measure_counting, measure_start, planned_bytes, repeat_counts
from train_bridge.data.dataset import DatasetSpec

pytestmark = pytest.mark.slow


@pytest.fixture
def repeated(pair_folder: str, tmp_path: Path) -> DatasetSpec:
    return repeat_counts(make_spec(pair_folder, str(tmp_path), tiny=SMALL), num_samples=100, folder=str(tmp_path))


def test_a_large_corpus_is_a_small_one_again_and_again(repeated: DatasetSpec) -> None:
    corpus = repeated.open_corpus()
    assert corpus.num_rows == 100
    assert corpus.index_row(3) == corpus.index_row(3 + 24) == corpus.index_row(3 + 4 * 24)
    assert corpus.entries[0].shard_starts.tolist() == [0, 24, 48, 72, 96]
    with pa.memory_map(repeated.length_paths[0]) as file:
        assert pa.ipc.open_file(file).read_all().num_rows == 100


def test_a_start_is_measured_beside_planning_up_to_it(repeated: DatasetSpec) -> None:
    values = measure_start(repeated, num_turns=2)
    assert len(values["start"]) == 2
    assert all(value > 0 for name in ("start", "start planning") for value in values[name])
    assert planned_bytes(repeated) >= 0


def test_counting_is_measured_from_the_beginning_in_every_turn(pair_folder: str, tmp_path: Path) -> None:
    values = measure_counting(pair_folder, folder=str(tmp_path), num_turns=2)
    assert {name: len(turns) for name, turns in values.items()} == {"count-tokens": 2, "count-tokens one": 2}
