import itertools

import numpy as np
import pytest

from train_bridge.bench import loader as bench_loader
from train_bridge.bench.loader import (
    decoded,
    loaded_samples,
    make_spec,
    measure,
    measure_reading,
    our_resume,
    raw_images,
)
from train_bridge.data.dataset import DatasetSpec


@pytest.fixture(scope="module")
def pairs(pair_folder: str, tmp_path_factory: pytest.TempPathFactory) -> DatasetSpec:
    return make_spec(pair_folder, str(tmp_path_factory.mktemp("spec")))


def test_all_of_an_epoch_is_read_and_loaded(pairs: DatasetSpec) -> None:
    images = list(raw_images(pairs))
    assert len(images) == sum(1 for _ in loaded_samples(pairs)) == 24
    alone, together = (
        np.stack(list(decoded(lambda: iter(images), 5, form=pairs.image_form, num_threads=num))) for num in (1, 3)
    )
    assert alone.shape == (5, 3, 336, 336)
    assert np.array_equal(alone, together)


def test_our_state_is_small(pairs: DatasetSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_loader, "NUM_BEFORE", 1)
    size_bytes, seconds = our_resume(pairs)
    assert 50 < size_bytes < 4096
    assert seconds > 0


def test_every_way_is_measured_in_every_turn(pairs: DatasetSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_loader, "NUM_BEFORE", 1)
    monkeypatch.setattr(bench_loader, "PEERS", {"webdataset": lambda folder: itertools.repeat(b"", len(folder))})
    monkeypatch.setattr(bench_loader, "NUM_PLANNED", 100)
    monkeypatch.setattr(bench_loader, "decode_image", lambda data, form: (data, form))
    values = measure(pairs, num_turns=2, num_decoded=5)
    assert set(values) == {
        "plan", "raw", "raw webdataset", "decoded", "decoded bare", "decoded bare, all cores", "decoded webdataset",
        "state-bytes", "resume-s",
    }  # fmt: skip
    assert {len(turns) for turns in values.values()} == {2}


def test_reading_is_measured_of_each_set(pairs: DatasetSpec) -> None:
    values = measure_reading(dict.fromkeys(("long", "short", "remote"), pairs), num_turns=1)
    assert {name: len(turns) for name, turns in values.items()} == {
        "long-document": 1,
        "long-document short": 1,
        "latency-30ms": 1,
        "latency-30ms eight": 1,
        "latency-30ms stored": 1,
    }
