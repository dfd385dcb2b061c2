from typing import Any

import pytest

from curate.contract.reasons import IngestReason, Kind
from curate.contract.records import Document
from curate.ingest.config import Mmc4Source
from curate.ingest.files.faults import Place, RecordError
from curate.ingest.files.row import Row
from curate.ingest.formats.mmc4 import read_mmc4_row


def _read(**fields: Any) -> Document:
    row = Row(place=Place(label="a.jsonl", number=1), fields=fields)
    return read_mmc4_row(row, source=Mmc4Source(name="s", path="a.jsonl"))


def _image(url: str, sentence: int | None = None, **more: Any) -> dict[str, Any]:
    return {"raw_url": url, **({} if sentence is None else {"matched_text_index": sentence}), **more}


def _flat(document: Document) -> list[str | None]:
    return [item.image_url or item.text for item in document.items]


def test_matched_images_stand_before_their_sentences() -> None:
    images = [_image("http://i/2b", 2), _image("http://i/0", 0), _image("http://i/2a", 2)]
    document = _read(url="http://p/", text_list=["a", "b", "c"], image_info=images)
    assert _flat(document) == ["http://i/0", "a", "b", "http://i/2b", "http://i/2a", "c"]
    assert (document.kind, document.url, document.native_id) == (Kind.INTERLEAVED, "http://p/", "http://p/")


def test_unmatched_images_stand_in_front_in_the_order_listed() -> None:
    images = [_image("http://i/1"), _image("http://i/m", 0), _image("http://i/2")]
    assert _flat(_read(text_list=["a", "b"], image_info=images)) == [
        "http://i/1",
        "http://i/2",
        "http://i/m",
        "a",
        "b",
    ]


def test_a_natural_place_goes_before_a_match() -> None:
    images = [
        _image("http://i/2", 0, natural_text_index=2, alt_text="last"),
        _image("http://i/0", 1, natural_text_index=0),
        _image("http://i/1", natural_text_index=1),
    ]
    document = _read(text_list=["a", "b"], image_info=images)
    assert _flat(document) == ["http://i/0", "a", "http://i/1", "b", "http://i/2"]
    assert [item.alt_text for item in document.items if item.image_url] == [None, None, "last"]


@pytest.mark.parametrize("place", [-1, 3, True, 0.0, "1"])
def test_a_natural_place_outside_the_text_is_refused(place: object) -> None:
    with pytest.raises(RecordError, match="natural_text_index must be an integer from 0 to 2"):
        _read(text_list=["a", "b"], image_info=[_image("http://i/", natural_text_index=place)])


def test_blank_sentence_makes_no_item_but_keeps_its_images_place() -> None:
    document = _read(text_list=["a", " ", "c"], image_info=[_image("http://i/1", 1)])
    assert _flat(document) == ["a", "http://i/1", "c"]


def test_white_space_of_a_sentence_stays() -> None:
    assert _flat(_read(text_list=["    x = 1\n", "b"], image_info=[])) == ["    x = 1\n", "b"]


def test_meta_keeps_all_but_the_matrix_in_item_order() -> None:
    images = [_image("http://i/1", 1, matched_sim=0.3), _image("http://i/0", 0, matched_sim=0.2, image_name="x.png")]
    document = _read(
        text_list=["a", "b"], image_info=images, similarity_matrix=[[0.1, 0.3], [0.2, 0]], could_have_url_duplicate=1
    )
    assert document.meta == {
        "could_have_url_duplicate": 1,
        "image_info": [
            {"matched_text_index": 0, "matched_sim": 0.2, "image_name": "x.png"},
            {"matched_text_index": 1, "matched_sim": 0.3},
        ],
    }


def test_relative_and_odd_urls_are_kept() -> None:
    images = [_image("/i.png"), _image("data:,x")]
    assert _flat(_read(url="http://p/a/", text_list=[], image_info=images)) == ["http://p/i.png", "data:,x"]


def test_text_without_images_is_a_document() -> None:
    assert _flat(_read(text_list=["a"], image_info=None)) == ["a"]
    assert _flat(_read(text_list=["a"])) == ["a"]


def test_nothing_in_it() -> None:
    with pytest.raises(RecordError) as caught:
        _read(text_list=["", " "], image_info=[])
    assert caught.value.reason is IngestReason.EMPTY_DOCUMENT


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"image_info": []}, "text_list must be a list, not null"),
        ({"text_list": "a"}, "text_list must be a list, not a string"),
        ({"text_list": ["a", 3]}, r"text_list\[1\] must be a string, not a number"),
        ({"text_list": ["a"], "url": 3}, "url must be a string"),
        ({"text_list": ["a"], "image_info": {}}, "image_info must be a list"),
        ({"text_list": ["a"], "image_info": ["u"]}, r"image_info\[0\] must be an object"),
        ({"text_list": ["a"], "image_info": [{}]}, r"image_info\[0\].raw_url must be a string, not null"),
        ({"text_list": ["a"], "image_info": [_image("u", 1)]}, "matched_text_index is 1, but text_list has 1"),
        ({"text_list": ["a"], "image_info": [_image("u", -1)]}, "matched_text_index is -1"),
        ({"text_list": ["a"], "image_info": [{"raw_url": "u", "matched_text_index": "0"}]}, "must be an integer"),
        ({"text_list": ["a"], "image_info": [{"raw_url": "u", "matched_text_index": True}]}, "must be an integer"),
    ],
)
def test_malformed(fields: dict[str, Any], what: str) -> None:
    with pytest.raises(RecordError, match=what):
        _read(**fields)
