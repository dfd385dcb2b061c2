import json
from pathlib import Path

import pytest

from curate.contract.records import Document, Fault
from curate.ingest.config import InstructionsSource
from curate.ingest.readers import read_file
from shards.export.formats import export_shards
from shards.export.llava import EMPTY_HUMAN, JOINED, NO_ANSWER, STRAY_MARKS, SYSTEM, llava_record, make_turns
from shards.export.names import ExportFormat
from shards.export.tally import Tally
from shards.sample import Sample, SampleText, sample_images
from tests.shards.export.conftest import DOCUMENTS, make_document, store


def _turns(sample: Sample, tally: Tally | None = None) -> list[tuple[str, str]]:
    turns = make_turns(store(sample).record, tally=Tally() if tally is None else tally)
    return [(speaker, said.replace(" of 1 é", "")) for speaker, said in turns]


@pytest.mark.parametrize(
    ("layout", "expected"),
    [
        ("it", [("human", "<image>"), ("gpt", "text 0")]),
        ("ti", [("human", ""), ("gpt", "text 0\n<image>")]),
        ("tit", [("human", "text 0\n<image>"), ("gpt", "text 1")]),
        ("iititt", [("human", "<image>\n<image>"), ("gpt", "text 0"), ("human", "<image>"), ("gpt", "text 1\ntext 2")]),
        ("iti", [("human", "<image>"), ("gpt", "text 0\n<image>")]),
        ("t", [("human", ""), ("gpt", "text 0")]),
        ("ii", [("human", "<image>\n<image>")]),
    ],
)
def test_images_keep_their_natural_place(layout: str, expected: list[tuple[str, str]]) -> None:
    assert _turns(make_document(1, layout)) == expected


@pytest.mark.parametrize(
    ("layout", "roles", "expected"),
    [
        ("tttt", "sua", None),
        ("ttt", "sua", [("human", "text 0\ntext 1"), ("gpt", "text 2")]),
        ("titt", "uau", [("human", "text 0\n<image>"), ("gpt", "text 1"), ("human", "text 2")]),
        ("titt", "aua", [("human", ""), ("gpt", "text 0"), ("human", "<image>\ntext 1"), ("gpt", "text 2")]),
        ("tti", "ua", [("human", "text 0"), ("gpt", "text 1\n<image>")]),
        ("ttt", "uaa", [("human", "text 0"), ("gpt", "text 1\ntext 2")]),
    ],
)
def test_roles_decide_who_speaks(layout: str, roles: str, expected: list[tuple[str, str]] | None) -> None:
    names = {"s": "system", "u": "user", "a": "assistant"}
    if expected is None:
        roles, expected = "suas", [("human", "text 0\ntext 1"), ("gpt", "text 2"), ("human", "text 3")]
    assert _turns(make_document(1, layout, roles=[names[role] for role in roles])) == expected


def test_changes_are_counted() -> None:
    tally = Tally()
    _turns(make_document(1, "tttt", roles=["system", "user", "assistant", "assistant"]), tally)
    _turns(make_document(1, "t"), tally)
    stray = Sample(doc_id="a", kind="text", source="s", url=None, items=[SampleText("an <image> tag")])
    assert _turns(stray, tally)[1] == ("gpt", "an <IMAGE> tag")
    assert tally.changes == {SYSTEM: 1, JOINED: 2, EMPTY_HUMAN: 2, STRAY_MARKS: 1}


@pytest.mark.parametrize("sample", [make_document(1, "ii"), make_document(1, "t", roles=["user"])])
def test_a_document_that_gives_no_answer_is_left_out(sample: Sample) -> None:
    tally = Tally()
    assert llava_record(store(sample), stem="00000", tally=tally) is None
    assert tally.documents_left_out == {NO_ANSWER: 1}


def test_every_mark_has_its_image(varied_set: str, tmp_path: Path) -> None:
    export_shards(varied_set, format_name=ExportFormat.LLAVA, out=str(tmp_path / "out"))
    records = json.loads((tmp_path / "out/llava.json").read_bytes())
    assert [one["doc_id"] for one in records] == [DOCUMENTS[number].doc_id for number in (0, 1, 2, 3, 4, 5, 6, 8, 10)]
    for record in records:
        paths = record.get("image", [])
        paths = [paths] if isinstance(paths, str) else paths
        said = "".join(turn["value"] for turn in record["conversations"])
        assert said.count("<image>") == len(paths)
        stored = [(tmp_path / "out/images" / path).read_bytes() for path in paths]
        assert stored == sample_images(DOCUMENTS[int(record["doc_id"], 16)])
        assert [turn["from"] for turn in record["conversations"]][:2] == ["human", "gpt"]
    assert isinstance(records[3]["image"], str)


def test_conversations_read_again_are_the_same(varied_set: str, tmp_path: Path) -> None:
    export_shards(varied_set, format_name=ExportFormat.LLAVA, out=str(tmp_path / "out"))
    source = InstructionsSource(name="again", path="llava.json")
    again = list(read_file(str(tmp_path / "out/llava.json"), source=source, label="llava.json"))
    first = again[0]
    assert isinstance(first, Document)
    assert [(item.role, item.text) for item in first.items] == [
        ("user", "text 0 of 0 é"),
        ("assistant", "text 1 of 0 é"),
    ]
    faults = [one.detail for one in again if isinstance(one, Fault)]
    assert len(faults) == 2  # the text without roles, whose user says nothing, and an image without an address
    urls = [[item.image_url for item in one.items if item.image_url] for one in again if isinstance(one, Document)]
    assert sum(map(bool, urls)) == 5
    assert all(url.startswith("http") for each in urls for url in each)
