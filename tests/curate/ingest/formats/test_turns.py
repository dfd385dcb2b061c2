from typing import Any

import pytest

from curate.contract.reasons import Role
from curate.ingest.files.faults import RecordError
from curate.ingest.formats.turns import read_talk


def _said(fields: dict[str, Any], **roles: Role) -> list[tuple[str, str]]:
    return [(str(turn.role)[0], turn.text) for turn in read_talk(fields, roles=roles).turns]


@pytest.mark.parametrize(
    "fields",
    [
        {"inputs": "q", "targets": "a"},
        {"instruction": "q", "context": "", "response": "a"},
        {"instruction": "q", "output": "a"},
        {"question": "q", "answer": "a"},
        {"question": "q", "response": "a"},
        {"prompt": "q", "response": "a"},
        {"prompt": "q", "completion": " a"},
        {"data": ["q", "a"]},
        {"conversation": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]},
        {"messages": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}], "prompt": "p"},
        {"inputs": b"q", "targets": b"a"},
    ],
)
def test_one_question_one_answer(fields: dict[str, Any]) -> None:
    assert _said(fields) == [("u", "q"), ("a", "a")]


def test_columns_that_are_joined_or_put_in_front() -> None:
    dolly = {"instruction": "q", "context": "c", "response": "a"}
    assert _said(dolly) == [("u", "q\n\nc"), ("a", "a")]
    assert read_talk(dolly | {"category": "x"}, roles={}).used == ("instruction", "context", "response")
    orca = {"system_prompt": "s", "question": "q", "response": "a"}
    assert _said(orca) == [("s", "s"), ("u", "q"), ("a", "a")]
    assert _said(orca | {"system_prompt": " "}) == [("u", "q"), ("a", "a")]
    own = {"system": "s", "messages": [{"role": "system", "content": "t"}, {"role": "user", "content": "q"}]}
    assert _said(own) == [("s", "t"), ("u", "q")]


def test_roles_of_the_recipe() -> None:
    fields = {"messages": [{"role": "Customer", "content": "q"}, {"role": "bot", "content": "a"}]}
    assert _said(fields, customer=Role.USER, bot=Role.ASSISTANT) == [("u", "q"), ("a", "a")]
    with pytest.raises(RecordError, match=r"roles: \{bot: assistant\}"):
        _said(fields)


@pytest.mark.parametrize("fields", [{}, {"prompt": "q"}, {"data": "q"}, {"data": ["q", 7]}, {"data": ["q", " "]}])
def test_what_is_no_conversation(fields: dict[str, Any]) -> None:
    with pytest.raises(RecordError):
        _said(fields)
