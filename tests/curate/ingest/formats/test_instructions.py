from typing import Any

import pytest

from curate.contract.reasons import IngestReason, Kind, Role
from curate.contract.records import Document
from curate.ingest.config import InstructionsSource
from curate.ingest.files.faults import Place, RecordError
from curate.ingest.files.row import Row
from curate.ingest.formats.instructions import read_instruction_row

_SOURCE = InstructionsSource(name="s", path="a.jsonl")
_ROOTED = InstructionsSource(name="s", path="a.jsonl", image_root="https://i.org/coco")


def _read(source: InstructionsSource = _SOURCE, /, **fields: Any) -> Document:
    return read_instruction_row(Row(place=Place(label="a.jsonl", number=1), fields=fields), source=source)


def _turns(document: Document) -> list[tuple[Role | None, str | None]]:
    return [(item.role, item.text) for item in document.items]


def _say(role: str, content: Any) -> dict[str, Any]:
    return {"role": role, "content": content}


def test_messages() -> None:
    document = _read(
        id=7, topic="x", messages=[_say("system", "be brief"), _say("user", "q"), _say("assistant", "a\n")]
    )
    assert _turns(document) == [(Role.SYSTEM, "be brief"), (Role.USER, "q"), (Role.ASSISTANT, "a")]
    assert (document.kind, document.native_id, document.meta) == (Kind.TEXT, "7", {"id": 7, "topic": "x"})


def test_conversations() -> None:
    document = _read(conversations=[{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}])
    assert _turns(document) == [(Role.USER, "q"), (Role.ASSISTANT, "a")]


def test_instruction_with_and_without_input() -> None:
    assert _turns(_read(instruction="add", input="1 2", output="3"))[0] == (Role.USER, "add\n\n1 2")
    assert _turns(_read(instruction="add", input="", output="3")) == [(Role.USER, "add"), (Role.ASSISTANT, "3")]


def test_blank_system_turn_is_left_out() -> None:
    document = _read(messages=[_say("system", " "), _say("user", "q"), _say("assistant", "a")])
    assert _turns(document)[0] == (Role.USER, "q")


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": []},
        {"messages": [_say("user", "q")]},
        {"messages": [_say("user", "q"), _say("assistant", "")]},
        {"instruction": "add", "output": None},
    ],
)
def test_nothing_to_learn_from(fields: dict[str, Any]) -> None:
    with pytest.raises(RecordError) as caught:
        _read(**fields)
    assert caught.value.reason is IngestReason.EMPTY_DOCUMENT


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"prompt": "q"}, "none of messages"),
        ({"messages": "q"}, "messages must be a list"),
        ({"messages": ["q"]}, r"messages\[0\] must be an object"),
        ({"messages": [_say("tool", "x")]}, r"messages\[0\].role is 'tool'"),
        ({"messages": [{"role": None, "content": "q"}]}, r"messages\[0\].role must be a string, not null"),
        ({"conversations": [{"from": "human"}]}, r"conversations\[0\].value must be a string, not null"),
        ({"instruction": 3, "output": "a"}, "instruction must be a string, not a number"),
    ],
)
def test_malformed(fields: dict[str, Any], what: str) -> None:
    with pytest.raises(RecordError, match=what):
        _read(**fields)


def _parts(document: Document) -> list[tuple[Role | None, str | None]]:
    return [(item.role, item.image_url or item.text) for item in document.items]


def _llava(question: str, **fields: Any) -> dict[str, Any]:
    return {"conversations": [{"from": "human", "value": question}, {"from": "gpt", "value": "a bridge"}]} | fields


def test_images_stand_where_the_turns_say() -> None:
    document = _read(_ROOTED, **_llava("<image>\nWhat is this?", id=3, image="a/b.jpg"))
    assert _parts(document) == [
        (None, "https://i.org/coco/a/b.jpg"),
        (Role.USER, "What is this?"),
        (Role.ASSISTANT, "a bridge"),
    ]
    assert (document.kind, document.native_id, document.meta) == (Kind.INTERLEAVED, "3", {"id": 3})
    several = _read(**_llava("One <image> two <image>", image=["http://a/1", {"url": "http://a/2"}]))
    assert [part for _, part in _parts(several)] == ["One", "http://a/1", "two", "http://a/2", "a bridge"]


def test_addresses_go_before_the_paths_beside_them() -> None:
    document = _read(**_llava("<image>", image="0/1.jpg", image_urls=["http://a/1"]))
    assert _parts(document)[0] == (None, "http://a/1")


def test_without_an_image_the_mark_is_a_word() -> None:
    document = _read(**_llava("What does <image> mean?", image=None))
    assert (document.kind, len(document.items)) == (Kind.TEXT, 2)


def test_parts_of_a_message() -> None:
    asked = [{"type": "image_url", "image_url": {"url": "http://a/1"}}, {"type": "text", "text": "What?"}]
    document = _read(messages=[_say("user", asked), _say("assistant", [{"type": "text", "text": "A bridge."}])])
    assert [part for _, part in _parts(document)] == ["http://a/1", "What?", "A bridge."]
    asked = [{"type": "text", "text": "What?"}, {"type": "image"}]
    document = _read(messages=[_say("user", asked), _say("assistant", "a")], images=["http://a/2"])
    assert [part for _, part in _parts(document)] == ["What?", "http://a/2", "a"]


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        (_llava("<image>", image="a.jpg"), "'a.jpg' is a path: give image_root"),
        (_llava("<image>\nWhat?"), "but the record has no image"),
        (_llava("What?", image="http://a/1"), "1 images, but 0 times <image>"),
        (_llava("<image> <image>", image=["http://a/1"]), "1 images, but 2 times <image>"),
        (_llava("<image>", image=[7]), "image must be an address, not a number"),
        (_llava("<image>", image={"bytes": b"x", "path": "a"}), "image holds the picture itself"),
        ({"messages": [_say("user", [{"type": "audio"}]), _say("assistant", "a")]}, "'audio', neither text nor"),
        ({"messages": [_say("user", [{"type": "text"}])]}, r"messages\[0\].content\[0\].text must be a string"),
        ({"messages": [_say("user", [{"type": "image"}]), _say("assistant", "a")]}, "0 images in None do not fit"),
        (
            {"messages": [_say("user", [{"type": "image"}, {"type": "image", "url": "http://a/1"}]), _say("gpt", "a")]},
            "0 images in None do not fit the 1 parts without any",
        ),
    ],
)
def test_images_that_cannot_be_placed_or_had(fields: dict[str, Any], what: str) -> None:
    with pytest.raises(RecordError, match=what):
        _read(**fields)


def test_an_assistant_that_says_an_image_only_says_nothing() -> None:
    turns = [{"from": "human", "value": "draw"}, {"from": "gpt", "value": "<image>"}]
    with pytest.raises(RecordError, match="no text by the assistant"):
        _read(conversations=turns, image="http://a/1")
