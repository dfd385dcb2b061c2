import json
from dataclasses import replace

import pytest

from shards.export.llava import llava_record
from shards.export.mmc4 import mmc4_record
from shards.export.obelics import obelics_row
from shards.export.origins import license_name, said_of_origin
from shards.export.pairs import SCHEMA, pair_rows
from shards.export.tally import Tally
from tests.shards.export.conftest import make_document, store

ORIGIN = {"file": "a.jsonl", "row": 3, "final_url": "http://h/x"}
LICENSE = {"id": None, "url": None, "text": "<b>mine</b>", "stated_in": "column rights"}
SAMPLE = store(replace(make_document(3, "it"), provenance=ORIGIN, license=LICENSE))
SAID = {"provenance": ORIGIN, "license": LICENSE, "meta": {"id": 3}}


def test_every_format_with_room_keeps_origin_and_licence() -> None:
    made = [
        mmc4_record(SAMPLE.record, tally=Tally()),
        llava_record(SAMPLE, stem="00000", tally=Tally()),
        json.loads((obelics_row(SAMPLE.record, tally=Tally()) or {})["general_metadata"]),
        pair_rows(SAMPLE, tally=Tally())[0][1],
    ]
    for one in made:
        assert one is not None
        assert {name: one.get(name) for name in SAID} == SAID
    assert "license" in SCHEMA.names


def test_what_is_unknown_is_left_out() -> None:
    assert said_of_origin({"license": None, "provenance": {}}) == {}


@pytest.mark.parametrize(
    ("stated", "name"),
    [
        (None, None),
        ({"id": "MIT", "url": "http://h/l", "text": None}, "MIT"),
        ({"id": None, "url": "http://h/l", "text": "x"}, "http://h/l"),
        ({"id": None, "url": None, "text": "x"}, "x"),
    ],
)
def test_a_licence_in_one_string(stated: dict[str, str | None] | None, name: str | None) -> None:
    assert license_name({"license": stated}) == name
