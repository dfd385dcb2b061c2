import itertools

import numpy as np
import pyarrow as pa
import pytest

from curate.contract.errors import SchemaError
from curate.dedup import similar
from curate.dedup.similar import (
    Vectors,
    cosines,
    find_similar,
    principal_axes,
    read_vectors,
    shorten,
    unit_vectors,
)


def crowd(num: int, *, width: int, seed: int = 0) -> Vectors:
    """Unit vectors around a few centres, so that many cosines lie about the threshold."""
    centres = np.random.default_rng(99).normal(size=(9, width))
    rng = np.random.default_rng(seed)
    vectors = centres[rng.integers(9, size=num)] + rng.normal(size=(num, width)) * rng.choice(
        [0.02, 0.2, 0.3], (num, 1)
    )
    return unit_vectors(vectors.astype(np.float16))[0]


def every_pair(earlier: tuple[int, Vectors], later: tuple[int, Vectors], least: float) -> set[tuple[int, int]]:
    (start, first), (later_start, second) = earlier, later
    return {
        (start + i, later_start + j)
        for i, one in enumerate(first)
        for j, other in enumerate(second)
        if start + i < later_start + j and float(np.dot(one.astype(float), other.astype(float))) >= least - 1e-6
    }


def numbered(start: int, vectors: Vectors) -> tuple[np.ndarray, Vectors]:
    return np.arange(start, start + len(vectors)), vectors


@pytest.mark.parametrize("width", [16, 300])
@pytest.mark.parametrize("axes_of", ["own", "none"])
def test_every_pair_is_found_between_and_within_blocks(width: int, axes_of: str) -> None:
    first, second = crowd(90, width=width), crowd(70, width=width, seed=1)
    axes = principal_axes(first) if axes_of == "own" else np.eye(width, dtype=np.float32)
    for earlier, later in (((0, first), (500, second)), ((3, first), (3, first))):
        found = find_similar(numbered(*earlier), numbered(*later), axes, threshold_cosine=0.95)
        pairs = list(zip(found["first"].to_pylist(), found["second"].to_pylist(), strict=True))
        assert pairs == sorted(set(pairs))
        assert set(pairs) == every_pair(earlier, later, 0.95)
        assert len(pairs) > 50


def test_how_pairs_are_gathered_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    block = numbered(0, crowd(60, width=200))
    axes = principal_axes(block[1])
    whole = find_similar(block, block, axes, threshold_cosine=0.9)
    monkeypatch.setattr(similar, "QUERY_NUM_IMAGES", 7)
    monkeypatch.setattr(similar, "PAIRS_AT_A_TIME", 5)
    assert find_similar(block, block, axes, threshold_cosine=0.9).equals(whole)


def test_a_cosine_does_not_depend_on_its_company() -> None:
    vectors = crowd(40, width=513)
    together = cosines(vectors[:-1], vectors[1:])
    alone = [float(cosines(one[None], other[None])[0]) for one, other in itertools.pairwise(vectors)]
    assert together.tolist() == alone
    assert alone == [
        float(np.sum(one.astype(np.float64) * other.astype(np.float64))) for one, other in itertools.pairwise(vectors)
    ]


def test_short_vectors_never_fall_below_the_product() -> None:
    vectors = crowd(80, width=300)
    short = shorten(vectors, principal_axes(vectors[:20]), width=32).astype(float)
    assert short.shape == (80, 32)
    assert (short @ short.T >= vectors.astype(float) @ vectors.T.astype(float) - 1e-5).all()


def test_a_threshold_of_one_finds_equal_embeddings() -> None:
    vector = crowd(1, width=300)
    block = numbered(0, np.concatenate([vector, vector]))
    assert find_similar(block, block, principal_axes(vector), threshold_cosine=1.0).num_rows == 1


def test_empty_blocks_and_other_widths() -> None:
    none, some = numbered(0, np.zeros((0, 4), np.float32)), numbered(0, crowd(3, width=4))
    assert find_similar(none, some, np.eye(4, dtype=np.float32), threshold_cosine=0.9).num_rows == 0
    with pytest.raises(SchemaError, match="width 5 after width 4"):
        find_similar(some, numbered(9, crowd(3, width=5)), np.eye(4, dtype=np.float32), threshold_cosine=0.9)


def test_what_cannot_be_compared_is_said() -> None:
    rows = [[1.0, 1.0], None, [0.0, 0.0], [np.nan, 1.0]]
    halves = [None if row is None else np.array(row, np.float16) for row in rows]
    vectors, usable = read_vectors(pa.chunked_array([pa.array(halves, pa.list_(pa.float16()))]))
    assert usable.tolist() == [True, False, False, False]
    assert np.linalg.norm(vectors[0]) == pytest.approx(1)
    mixed = [np.zeros(2, np.float16), np.zeros(3, np.float16)]
    with pytest.raises(SchemaError, match=r"different widths \[2, 3\]"):
        read_vectors(pa.chunked_array([pa.array(mixed, pa.list_(pa.float16()))]))
