from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest

from curate.contract.schemas import EQUAL_IMAGES, SIMILAR_IMAGES
from curate.dedup.config import ImageDedupConfig
from curate.dedup.settle import Copy, StandingDocument, index_pairs, settle

EXACT = ImageDedupConfig()
BOTH = ImageDedupConfig(cosine=0.9)
COSINE = ImageDedupConfig(exact=False, cosine=0.9)

Image = tuple[str, float]
"""Name of its bytes, and the direction of its embedding in degrees."""
Accept = Callable[[str, int], bool]


LEAST_PROPOSED = 0.5
"""Pairs that are less similar are not stored."""


def similarity(one: Image, other: Image) -> float:
    return float(np.cos(np.radians(one[1] - other[1])))


def run(config: ImageDedupConfig, *documents: list[Image], accept: Accept = lambda _doc, _left: True) -> list[Copy]:
    """Settle documents d0, d1, ...; the images' numbers are their places, and so are their positions."""
    images = [image for document in documents for image in document]
    owner = [number for number, document in enumerate(documents) for _ in document]
    first = {name: min(n for n, image in enumerate(images) if image[0] == name) for name, _ in images}
    repeated = [n for n, image in enumerate(images) if sum(image[0] == other for other, _ in images) > 1]
    repeats = [pa.array(repeated, pa.int64()), pa.array([first[images[n][0]] for n in repeated], pa.int64())]
    firsts = sorted(first.values())
    pairs = [
        (a, b, similarity(images[a], images[b]))
        for a in firsts
        for b in firsts
        if a < b and similarity(images[a], images[b]) >= LEAST_PROPOSED
    ] + [(n, n, 1.0) for n in firsts if n in repeated]
    columns = [
        pa.array([pair[place] for pair in pairs], kind)
        for place, kind in enumerate((pa.int64(), pa.int64(), pa.float64()))
    ]
    index = index_pairs(pa.table(repeats, schema=EQUAL_IMAGES), pa.table(columns, schema=SIMILAR_IMAGES), config)
    members = {*repeated, *(end for first, second, _ in pairs for end in (first, second))}
    standing = []
    for number, document in enumerate(documents):
        own = [n for n, of in enumerate(owner) if of == number and n in members]
        stands_with = [accept(f"d{number}", left) for left in range(len(document) + 1)]
        standing.append(StandingDocument(f"d{number}", own, own, stands_with))
    return list(settle(standing, index, exact=config.exact))


def restate(config: ImageDedupConfig, *documents: list[Image], accept: Accept = lambda _doc, _left: True) -> list[Copy]:
    """The star rule as its text says it: every image beside every kept one."""
    kept: list[tuple[int, str, Image]] = []
    found: list[Copy] = []
    number = 0
    for place, document in enumerate(documents):
        own: list[tuple[int, str, Image]] = []
        for image in document:
            before = [*kept, *own]
            same = [name for _, name, other in before if config.exact and other[0] == image[0]]
            near = [
                (-similarity_of(image, other), number_of, name)
                for number_of, name, other in before
                if config.cosine is not None and similarity_of(image, other) >= config.cosine - 1e-6
            ]
            if same:
                found.append(Copy(number, "dedup.exact", same[0]))
            elif near:
                found.append(Copy(number, "dedup.cosine", min(near)[2]))
            else:
                own.append((number, f"d{place}:{number}", image))
            number += 1
        if accept(f"d{place}", len(own)):
            kept += own
    return found


def similarity_of(one: Image, other: Image) -> float:
    return 1.0 if one[0] == other[0] else similarity(one, other)


def test_the_first_of_equal_bytes_stays() -> None:
    found = run(EXACT, [("x", 0), ("y", 90)], [("y", 90)], [("x", 0)])
    assert found == [Copy(2, "dedup.exact", "d0:1"), Copy(3, "dedup.exact", "d0:0")]


def test_copies_within_a_document_count() -> None:
    assert run(EXACT, [("x", 0), ("x", 0)]) == [Copy(1, "dedup.exact", "d0:0")]
    assert run(BOTH, [("x", 0), ("y", 5)]) == [Copy(1, "dedup.cosine", "d0:0")]


def test_a_chain_does_not_pull_in_images_that_are_unlike_what_is_kept() -> None:
    assert run(BOTH, [("x", 0)], [("y", 20)], [("z", 40)]) == [Copy(1, "dedup.cosine", "d0:0")]


def test_the_most_similar_original_is_named_and_the_first_of_equals() -> None:
    assert run(BOTH, [("x", 0)], [("y", 30)], [("z", 20)]) == [Copy(2, "dedup.cosine", "d1:1")]
    assert run(BOTH, [("x", -15)], [("y", 15)], [("z", 0)]) == [Copy(2, "dedup.cosine", "d0:0")]


def test_equal_bytes_are_named_before_similarity_and_are_similar_without() -> None:
    assert run(BOTH, [("x", 0)], [("x", 0)]) == [Copy(1, "dedup.exact", "d0:0")]
    assert run(COSINE, [("x", 0)], [("x", 0)]) == [Copy(1, "dedup.cosine", "d0:0")]
    assert run(ImageDedupConfig(exact=False), [("x", 0)], [("x", 0)]) == []


def test_a_refused_document_takes_nothing_from_later_ones() -> None:
    found = run(
        BOTH,
        [("x", 0)],
        [("x", 0), ("y", 90)],
        [("y", 90), ("z", 95)],
        [("y", 90)],
        accept=lambda doc, left: (doc, left) != ("d1", 1),
    )
    assert found == [
        Copy(1, "dedup.exact", "d0:0"),
        Copy(4, "dedup.cosine", "d2:3"),
        Copy(5, "dedup.exact", "d2:3"),
    ]


def test_a_stricter_threshold_takes_pairs_of_a_looser_one() -> None:
    strict = ImageDedupConfig(cosine=0.999)
    assert run(strict, [("x", 0)], [("y", 20)], [("z", 1)]) == [Copy(2, "dedup.cosine", "d0:0")]
    assert run(strict, [("x", 0)], [("y", 20), ("x", 0)], [("z", 40)]) == [Copy(2, "dedup.exact", "d0:0")]
    assert run(EXACT, [("x", 0)], [("y", 20)], [("z", 1)]) == []


@pytest.mark.parametrize("config", [EXACT, BOTH, COSINE, ImageDedupConfig(cosine=0.999)])
@pytest.mark.parametrize("seed", range(12))
def test_random_corpora_end_as_the_rule_says(config: ImageDedupConfig, seed: int) -> None:
    rng = np.random.default_rng(seed)
    directions = {f"i{n}": float(rng.integers(0, 360)) for n in range(25)}
    names = list(directions)
    documents = [
        [(name, directions[name]) for name in rng.choice(names, size=int(rng.integers(1, 5)))] for _ in range(30)
    ]

    def accept(doc: str, left: int) -> bool:
        return left >= (2 if doc.endswith(("3", "7")) else 1)

    found = run(config, *documents, accept=accept)
    assert found == restate(config, *documents, accept=accept)
    assert len(found) > 10
