import json
import math
from dataclasses import replace

import numpy as np
import pytest

from curate.contract.errors import ShardError
from shards.sample import Sample, SampleImage, SampleText, encode_sample, sample_images, sample_record
from tests.shards.conftest import MakeSample

IMAGE = SampleImage(data=b"jpeg", image_id="00", url=None, width=1, height=2)


def sample_of(*items: SampleText | SampleImage) -> Sample:
    return Sample(doc_id="d", kind="pair", source="s", url=None, items=items)


def test_the_bytes_of_a_record_are_frozen() -> None:
    image = replace(IMAGE, matched_item=1, matched_sim=0.123456789, best_sim=0.5, alt="é", similarity=[0.5])
    sample = replace(sample_of(image, SampleText("a\n“b”", "user")), meta={"b": 1, "a": None})
    assert encode_sample(sample) == [
        (
            "json",
            (
                '{"doc_id":"d","kind":"pair","source":"s","url":null,"items":[{"type":"image","part":"0.jpg","url":null,'
                '"width":1,"height":2,"sha256":"00","matched_item":1,"matched_sim":0.12346,"alt":"é"},'
                '{"type":"text","text":"a\\n“b”","role":"user"}],'
                '"scores":{"best_sim":[0.5],"similarity":[[0.5]]},"meta":{"b":1,"a":null}}'
            ).encode(),
        ),
        ("0.jpg", b"jpeg"),
    ]


def test_origin_and_licence_stand_between_scores_and_meta() -> None:
    stated = {"id": "MIT", "url": None, "text": "<b>", "stated_in": "column license"}
    sample = replace(sample_of(), provenance={"file": "a", "row": 1}, license=stated, meta={"m": 1})
    assert list(sample_record(sample))[5:] == ["scores", "provenance", "license", "meta"]
    assert sample_record(sample)["license"] == stated
    assert "license" not in sample_record(replace(sample, license=None))


def test_an_image_tells_its_time_where_it_has_one() -> None:
    told = sample_record(sample_of(replace(IMAGE, fetched_at="2026-01-02T03:04:05Z"), IMAGE))["items"]
    assert [item.get("fetched_at") for item in told] == ["2026-01-02T03:04:05Z", None]
    assert "fetched_at" not in told[1]


def test_json_comes_first_and_images_in_counting_order(make_sample: MakeSample) -> None:
    names = [name for name, _ in encode_sample(make_sample(0, num_images=12))]
    assert names == ["json", *[f"{number}.jpg" for number in range(12)]]


def test_scores_that_nobody_has_are_left_out() -> None:
    assert sample_record(sample_of(IMAGE))["scores"] == {}
    assert "meta" not in sample_record(sample_of(IMAGE))


def test_a_score_of_one_image_gives_null_for_the_others() -> None:
    scores = sample_record(sample_of(IMAGE, replace(IMAGE, best_sim=0.25)))["scores"]
    assert scores == {"best_sim": [None, 0.25]}


@pytest.mark.parametrize(
    ("value", "stored"),
    [(math.nan, None), (-0.0, 0.0), (np.float16(0.3), 0.30005), (1.0, 1.0), (None, None), (-0.000001, 0.0)],
)
def test_scores_are_rounded_and_never_nan(value: float, stored: float | None) -> None:
    got = sample_record(sample_of(replace(IMAGE, matched_sim=value)))["items"][0]["matched_sim"]
    assert got == stored
    assert str(got) != "-0.0"


def test_every_float16_from_a_thirtieth_up_survives() -> None:
    values = np.arange(np.float16(0.0334).view(np.uint16), np.float16(1).view(np.uint16), dtype=np.uint16)
    scores = sample_record(sample_of(replace(IMAGE, similarity=values.view(np.float16).tolist())))["scores"]
    assert np.array_equal(np.array(scores["similarity"][0], dtype=np.float16), values.view(np.float16))


@pytest.mark.parametrize("place", [-1, 1, 2])
def test_an_image_is_matched_to_a_text_or_to_nothing(place: int) -> None:
    with pytest.raises(ShardError, match=f"item {place}, which is no text item"):
        encode_sample(sample_of(SampleText("t"), replace(IMAGE, matched_item=place)))


def test_a_lone_surrogate_becomes_a_question_mark() -> None:
    data = encode_sample(sample_of(SampleText("a\ud800b")))[0][1]
    assert json.loads(data)["items"][0]["text"] == "a?b"


@pytest.mark.parametrize("value", [math.nan, {1, 2}, b"x"])
def test_meta_that_is_no_json_is_an_error(value: object) -> None:
    with pytest.raises(ShardError, match="document d: its meta is not JSON"):
        encode_sample(replace(sample_of(SampleText("t")), meta={"x": value}))


def test_images_are_given_in_item_order(make_sample: MakeSample) -> None:
    sample = make_sample(0, num_images=3)
    assert sample_images(sample) == [data for _, data in encode_sample(sample)[1:]]
