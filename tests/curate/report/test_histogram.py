import numpy as np
import pyarrow as pa
import pytest

from curate.report.histogram import EdgeCounter, NameCounter, SimilarityCounter


def test_similarities_fall_into_readable_bins_with_the_threshold_between_them() -> None:
    counter = SimilarityCounter()
    counter.add(np.array([0.10, 0.30, 0.30, 0.305]), np.array([False, True, True, False]))
    histogram = counter.finish(threshold=0.15)
    counts = {b.label: (b.kept, b.rejected) for b in histogram.bins if b.kept or b.rejected}
    assert counts == {"0.10": (0, 1), "0.30": (2, 1)}
    assert histogram.threshold == pytest.approx(5.0)  # bins of 0.01 from 0.10
    assert len(histogram.bins) <= 40


def test_float16_on_an_edge_counts_above_it() -> None:
    counter = SimilarityCounter()
    counter.add(np.array([float(np.float16(0.15))]), np.array([True]))
    assert [b.label for b in counter.finish(threshold=None).bins] == ["0.15"]


@pytest.mark.parametrize("values", [[-1.0, 1.0], [-1.5, 1.5], [0.999, 0.999]])
def test_extremes_are_counted_in_the_outer_bins(values: list[float]) -> None:
    counter = SimilarityCounter()
    counter.add(np.array(values), np.array([True, True]))
    histogram = counter.finish(threshold=2.0)
    assert sum(b.kept for b in histogram.bins) == 2
    assert len(histogram.bins) <= 41


def test_without_values_there_are_no_bins() -> None:
    assert SimilarityCounter().finish(threshold=0.2).bins == ()
    assert EdgeCounter((0, 10)).finish(title="t", unit="u").bins == ()
    assert NameCounter().finish(title="t", unit="u").bins == ()


def test_edges_belong_to_the_bin_they_begin() -> None:
    counter = EdgeCounter((0, 10, 100, 1000))
    counter.add(np.array([9, 10, 99, 5000]), np.array([True, False, True, True]))
    bins = counter.finish(title="t", unit="u").bins
    assert [(b.label, b.kept, b.rejected) for b in bins] == [("0", 1, 0), ("10", 1, 1), ("100", 0, 0), ("1,000", 1, 0)]


def test_rare_names_are_summed_and_null_is_unknown() -> None:
    counter = NameCounter()
    names = [*["en"] * 5, *["de"] * 4, None, None, *[f"l{i:02d}" for i in range(10)]]
    counter.add(pa.array(names), np.array([name != "de" for name in names]))
    bins = counter.finish(title="t", unit="u").bins
    assert [(b.label, b.kept, b.rejected) for b in bins[:3]] == [("en", 5, 0), ("de", 0, 4), ("unknown", 2, 0)]
    assert (bins[-1].label, bins[-1].kept) == ("3 others", 3)


def test_counts_of_parts_are_added() -> None:
    values, kept = np.array([0.1, 0.3, 0.5, 0.3]), np.array([True, False, True, True])
    sims = [SimilarityCounter() for _ in range(3)]
    numbers = [EdgeCounter((0, 10)) for _ in range(3)]
    names = [NameCounter() for _ in range(3)]
    for place, part in enumerate((slice(0, 4), slice(0, 1), slice(1, 4))):
        sims[place].add(values[part], kept[part])
        numbers[place].add((values[part] * 30).astype(np.int64), kept[part])
        names[place].add(pa.array(["en", "de", None, "en"])[part], kept[part])
    sims[1].merge(sims[2])
    numbers[1].merge(numbers[2])
    names[1].merge(names[2])
    assert sims[0].finish(threshold=0.2) == sims[1].finish(threshold=0.2)
    assert numbers[0].finish(title="t", unit="u") == numbers[1].finish(title="t", unit="u")
    assert names[0].finish(title="t", unit="u") == names[1].finish(title="t", unit="u")
