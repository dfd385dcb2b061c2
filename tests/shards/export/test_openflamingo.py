"""The export is read by OpenFlamingo's rules, written down anew from the description of its loader."""

import base64
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.optimize import linear_sum_assignment

from shards.export.formats import export_shards
from shards.export.names import ExportFormat
from shards.export.openflamingo import (
    MIN_IMAGE_BYTES,
    NO_IMAGE,
    NO_SCORES,
    NO_TEXT,
    SMALL,
    SURPLUS,
    openflamingo_record,
)
from shards.export.tally import Tally
from shards.sample import Sample, sample_images
from tests.shards.export.conftest import DOCUMENTS, LARGE_PX, SMALL_PX, make_document, read_with_webdataset, store

THRESHOLD = 0.0
MAX_IMAGES = 6


def _load(record: dict[str, Any]) -> tuple[list[bytes], list[int]]:
    """Return the images that the loader gives the model, and the sentences that its marks stand before.

    It skips entries without bytes and images of at most 10 whole thousands of bytes, solves the assignment between the
    rest and the sentences, drops pairs below the threshold, and cuts to six. Images stay in row order, while the marks
    are put before the sentences, so the k-th image is the k-th mark's only where the sentences rise.
    """
    valid = []
    rows = []
    for entry, row in zip(record["image_info"], record["similarity_matrix"], strict=True):
        if "image_base64" not in entry:
            continue
        data = base64.b64decode(entry["image_base64"], validate=True)
        if len(data) // 1000 <= 10:
            continue
        with Image.open(io.BytesIO(data)) as image:
            image.convert("RGB")
        valid.append(data)
        rows.append(row)
    if not valid:
        return [], []
    matrix = np.array(rows)
    found = [(i, s) for i, s in zip(*linear_sum_assignment(-matrix), strict=True) if matrix[i][s] >= THRESHOLD]
    return [valid[i] for i, _ in found[:MAX_IMAGES]], [int(s) for _, s in found[:MAX_IMAGES]]


def _export(sample: Sample) -> dict[str, Any]:
    record = openflamingo_record(store(sample), tally=Tally())
    assert record is not None
    return record


def _large(number: int, layout: str, matrix: Sequence[Sequence[float]] | None = None) -> Sample:
    return make_document(number, layout, sizes_px=[LARGE_PX] * layout.count("i"), matrix=matrix)


def test_the_loaders_limit_is_ours() -> None:
    assert (MIN_IMAGE_BYTES - 1) // 1000 <= 10 < MIN_IMAGE_BYTES // 1000


@pytest.mark.parametrize("number", range(20))
def test_images_and_their_marks_come_in_the_same_order(number: int) -> None:
    sample = _large(number, "tittiititt")
    images, sentences = _load(_export(sample))
    assert len(images) == 4
    assert sentences == sorted(sentences)
    stored = sample_images(sample)
    natural = {items: place for place, items in enumerate(stored)}
    best = linear_sum_assignment(-np.array([one["similarity"] for one in _scores(sample)]))
    assert {natural[data]: sentence for data, sentence in zip(images, sentences, strict=True)} == dict(
        zip(*map(np.ndarray.tolist, best), strict=True)
    )


def _scores(sample: Sample) -> list[dict[str, Any]]:
    rows = store(sample).record["scores"]["similarity"]
    return [{"similarity": row} for row in rows]


def test_rows_in_natural_order_would_be_mixed_up() -> None:
    """What the sorting is for: here the natural order gives the loader falling sentences."""
    matrix = [[0.1, 0.4], [0.3, 0.1]]
    assert list(linear_sum_assignment(-np.array(matrix))[1]) == [1, 0]
    record = _export(_large(4, "titi", matrix))
    assert record["similarity_matrix"] == [matrix[1], matrix[0]]
    assert [one["matched_text_index"] for one in record["image_info"]] == [0, 1]
    assert [one["natural_text_index"] for one in record["image_info"]] == [2, 1]


def test_small_images_stand_last_and_do_not_take_part() -> None:
    """Solved with the small image, the large ones would get other sentences than the loader gives them."""
    matrix = [[0.2, 0.9, 0.1], [0.1, 0.95, 0.2], [0.3, 0.5, 0.4]]
    sample = make_document(5, "ititit", sizes_px=[LARGE_PX, SMALL_PX, LARGE_PX], matrix=matrix)
    tally = Tally()
    record = openflamingo_record(store(sample), tally=tally)
    assert record is not None
    assert tally.changes == {SMALL: 1}
    images, sentences = _load(record)
    stored = sample_images(sample)
    assert images == [stored[0], stored[2]]
    assert sentences == [1, 2]
    assert base64.b64decode(record["image_info"][2]["image_base64"]) == stored[1]


def test_surplus_images_are_written_and_counted() -> None:
    tally = Tally()
    record = openflamingo_record(store(_large(6, "iiit")), tally=tally)
    assert record is not None
    assert len(record["image_info"]) == 3
    assert tally.changes == {SURPLUS: 2}
    assert len(_load(record)[0]) == 1


@pytest.mark.parametrize(
    ("layout", "is_scored", "reason"), [("tt", True, NO_IMAGE), ("ii", True, NO_TEXT), ("it", False, NO_SCORES)]
)
def test_what_the_loader_cannot_take_is_left_out(layout: str, is_scored: bool, reason: str) -> None:  # noqa: FBT001 - a case
    tally = Tally()
    assert openflamingo_record(store(make_document(1, layout, is_scored=is_scored)), tally=tally) is None
    assert tally.documents_left_out == {reason: 1}


def test_the_tars_hold_one_json_a_sample(varied_set: str, tmp_path: Path) -> None:
    tally = export_shards(varied_set, format_name=ExportFormat.OPENFLAMINGO, out=str(tmp_path / "out"))
    records = [json.loads(one["json"]) for one in read_with_webdataset(tmp_path / "out")]
    assert [one["doc_id"] for one in records] == [DOCUMENTS[number].doc_id for number in (3, 4, 5, 6, 10)]
    assert all("is_gpt" not in one for one in records)
    for record in records:
        sample = DOCUMENTS[int(record["doc_id"], 16)]
        images, sentences = _load(record)
        assert sentences == sorted(sentences)
        assert set(images) <= set(sample_images(sample))
        assert len(images) == sum(len(data) >= MIN_IMAGE_BYTES for data in sample_images(sample))
    assert tally.documents_left_out == {NO_IMAGE: 3, NO_TEXT: 2, NO_SCORES: 1}
