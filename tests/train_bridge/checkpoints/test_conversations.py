"""Templates beside what NVlabs/VILA's code writes, restated by its rules of separators."""

import pytest
from jinja2 import Template

from train_bridge.checkpoints.conversations import HERMES_2, LLAMA_3, VICUNA_V1, conversation_of

VICUNA_SYSTEM = (
    "A chat between a curious user and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the user's questions."
)
LLAMA_SYSTEM = (
    "You are a helpful language and vision assistant. You are able to understand the visual content that the user "
    "provides, and assist the user with a variety of tasks using natural language."
)
TURNS = [("user", "<image>\nWhat?"), ("assistant", "A dog."), ("user", "Sure?"), ("assistant", "Yes.")]


def write(template: str, turns: list[tuple[str, str]], *, prompt: bool = False, system: str | None = None) -> str:
    messages = [{"role": "system", "content": system}] if system else []
    messages += [{"role": role, "content": text} for role, text in turns]
    marks = {"bos_token": "<s>", "eos_token": "</s>"}
    return str(Template(template).render(messages=messages, add_generation_prompt=prompt, **marks))


def test_vicuna_separates_by_space_and_end() -> None:
    roles = {"user": "USER", "assistant": "ASSISTANT"}
    ends = {"user": " ", "assistant": "</s>"}
    expected = "<s>" + VICUNA_SYSTEM + " " + "".join(f"{roles[r]}: {text}{ends[r]}" for r, text in TURNS)
    assert write(VICUNA_V1, TURNS) == expected
    assert write(VICUNA_V1, TURNS[:1], prompt=True).endswith("USER: <image>\nWhat? ASSISTANT:")
    assert write(VICUNA_V1, TURNS[:1], system="Be brief.") == "<s>Be brief. USER: <image>\nWhat? "


def test_llama_3_ends_the_last_answer_otherwise() -> None:
    def head(role: str) -> str:
        return f"<|start_header_id|>{role}<|end_header_id|>\n\n"

    ends = ["<|eot_id|>"] * 3 + ["<|end_of_text|>"]
    expected = f"<|begin_of_text|>{head('system')}{LLAMA_SYSTEM}<|eot_id|>"
    expected += "".join(head(role) + text + end for (role, text), end in zip(TURNS, ends, strict=True))
    assert write(LLAMA_3, TURNS) == expected
    assert write(LLAMA_3, TURNS[:1], prompt=True).endswith(f"What?<|eot_id|>{head('assistant')}")


def test_hermes_has_no_line_breaks_between_turns() -> None:
    expected = "<|im_start|>system\nAnswer the questions.<|im_end|>"
    expected += "".join(f"<|im_start|>{role}\n{text}<|im_end|>" for role, text in TURNS)
    assert write(HERMES_2, TURNS) == expected


@pytest.mark.parametrize("template", [VICUNA_V1, LLAMA_3, HERMES_2])
def test_content_of_parts_is_written_as_a_string_is(template: str) -> None:
    parts = [{"type": "image"}, {"type": "text", "text": "What?"}]
    in_parts = write(template, [("user", parts), ("assistant", "A.")])  # type: ignore[list-item]
    assert in_parts == write(template, [("user", "<image>\nWhat?"), ("assistant", "A.")])


def test_the_model_says_which_one_it_learned() -> None:
    llama = {"model_type": "llama"}
    assert conversation_of(llama | {"vocab_size": 32000, "num_hidden_layers": 32}) == VICUNA_V1
    assert conversation_of(llama | {"vocab_size": 128256}) == LLAMA_3
    yi = {"vocab_size": 64000, "num_hidden_layers": 60, "num_attention_heads": 56}
    assert conversation_of(llama | yi) == HERMES_2
    assert conversation_of({"model_type": "qwen2", "vocab_size": 151936}) is None  # its tokenizer has its own
