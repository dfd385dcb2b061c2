from typing import Any

import pytest

from curate.contract.reasons import IngestReason, Kind, Role
from curate.contract.records import Document
from curate.ingest.config import InstructionsSource
from curate.ingest.files.faults import Place, RecordError
from curate.ingest.files.row import Row
from curate.ingest.formats.instructions import read_instruction_row


def _read(**fields: Any) -> Document:
    row = Row(place=Place(label="a.jsonl", number=1), fields=fields)
    return read_instruction_row(row, source=InstructionsSource(name="s", path="a.jsonl"))


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
        ({"messages": [_say("user", [{"type": "text"}])]}, r"messages\[0\].content must be a string, not a list"),
        ({"messages": [{"role": None, "content": "q"}]}, r"messages\[0\].role must be a string, not null"),
        ({"conversations": [{"from": "human"}]}, r"conversations\[0\].value must be a string, not null"),
        ({"instruction": 3, "output": "a"}, "instruction must be a string, not a number"),
        ({"image": "a.jpg", "messages": []}, "names an image in 'image'"),
    ],
)
def test_malformed(fields: dict[str, Any], what: str) -> None:
    with pytest.raises(RecordError, match=what):
        _read(**fields)
