import json
import random

from pipelines.demo.instructions import instruction_line, write_conversation
from tests.pipelines.demo.language import identify


def test_roles_alternate_behind_an_optional_system_message() -> None:
    rng = random.Random(0)
    for _ in range(100):
        roles = [message["role"] for message in write_conversation(rng)]
        turns = roles[1:] if roles[0] == "system" else roles
        assert turns in (["user", "assistant"], ["user", "assistant"] * 2)


def test_sums_add_up() -> None:
    rng = random.Random(1)
    answers = [message["content"] for _ in range(200) for message in write_conversation(rng)]
    sums = [answer.rsplit("because ", 1)[1].rstrip(".").split(" is ") for answer in answers if " + " in answer]
    assert sums
    assert all(sum(map(int, left.split(" + "))) == int(right) for left, right in sums)


def test_conversations_are_english_and_long_enough() -> None:
    rng = random.Random(2)
    for _ in range(100):
        text = " ".join(message["content"] for message in write_conversation(rng))
        lang, probability = identify(text)
        assert lang == "en"
        assert probability >= 0.65
        assert len(text.split()) >= 10


def test_a_line_is_one_json_object() -> None:
    line = instruction_line([{"role": "user", "content": "é\nb"}])
    assert "\n" not in line
    assert json.loads(line) == {"messages": [{"role": "user", "content": "é\nb"}]}
