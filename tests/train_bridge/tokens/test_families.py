"""What goes into the template of any family comes out, and exactly the answers are learned, with any tokenizer."""

import functools
from typing import Any

import numpy as np
import pytest
from transformers import PreTrainedTokenizerFast

from tests.train_bridge.tokens.families import KINDS, TEMPLATES, make_tokenizer
from train_bridge.tokens.encoder import Encoded, TextEncoder, TextForm
from train_bridge.tokens.faults import SampleFault
from train_bridge.tokens.layout import ImagePiece, TextPiece
from train_bridge.tokens.turns import Turn

IMAGE = {"type": "image", "part": "0.jpg", "matched_item": None}
END_MARKS = {
    "vicuna": "</s>", "chatml": "<|im_end|>", "qwen3": "<|im_end|>", "llama2": " </s>", "llama3": "<|eot_id|>",
    "mistral": "</s>", "gemma": "<end_of_turn>", "phi3": "<|end|>", "zephyr": "</s>", "r1": "<|end_of_sentence|>",
    "qwen2": "<|im_end|>", "vila-llama3": "<|end_of_text|>", "vila-hermes2": "<|im_end|>",
    "llava": " </s>", "parts": "<|im_end|>", "harmony": "<|return|>",
}  # fmt: skip
TAKES_NO_SYSTEM = {"gemma", "mistral"}
OTHERWISE = "the chat template ends a prompt otherwise than it begins an answer"
BREAKS_PROMPTS = {
    # A prompt of R1's begins a train of thought that its answers have lost.
    **{(kind, "r1"): OTHERWISE for kind in KINDS},
    ("gpt2", "vila-llama3"): "the tokenizer joins the end of a prompt with an answer such as 'A dog.'",
    ("gpt2", "llama3"): "the tokenizer joins the end of a prompt with an answer such as 'A dog.'",
}
"""What is warned about, by kind of tokenizer and family."""

every_family = pytest.mark.parametrize("family", TEMPLATES)
every_kind = pytest.mark.parametrize("kind", KINDS)


@functools.cache
def tokenizer_of(kind: str, family: str) -> PreTrainedTokenizerFast:
    return make_tokenizer(kind, family)


def encoder_of(kind: str, family: str, **form: Any) -> TextEncoder:
    return TextEncoder(tokenizer_of(kind, family), form=TextForm(labels="assistant", **form))


def chat(*said: str, system: str | None = None, image: bool = True) -> dict[str, Any]:
    roles = ["user", "assistant"] * len(said)
    items: list[dict[str, Any]] = [
        {"type": "text", "text": text, "role": role} for text, role in zip(said, roles, strict=False)
    ]
    first = [] if system is None else [{"type": "text", "text": system, "role": "system"}]
    return {"items": [*first, *([IMAGE] if image else []), *items]}


def encode(encoder: TextEncoder, record: dict[str, Any]) -> Encoded:
    (encoded,) = encoder.encode([record])
    assert isinstance(encoded, Encoded), encoded
    return encoded


def runs(encoder: TextEncoder, encoded: Encoded) -> list[str]:
    """Return the text of each run of tokens with loss."""
    edges = np.flatnonzero(np.diff(encoded.labelled.astype(int), prepend=0, append=0)).reshape(-1, 2)
    return [str(encoder._tokenizer.decode(encoded.ids[start:stop])) for start, stop in edges]


@every_family
@every_kind
def test_every_turn_stands_in_order_and_the_answers_alone_are_learned(kind: str, family: str) -> None:
    encoder = encoder_of(kind, family)
    said = ["What is it?", "A dog.", "And now?", " A cat sits. ", "42?", "(b)"]
    encoded = encode(encoder, chat(*said, system="Be kind."))
    text = str(encoder._tokenizer.decode(encoded.ids))
    places = [text.find(part.strip()) for part in ("Be kind.", *said)]
    assert places == sorted(places)
    assert -1 not in places
    assert encoded.images == (0,)
    learned = runs(encoder, encoded)
    assert len(learned) == 3
    for run, answer in zip(learned, said[1::2], strict=True):
        assert answer.strip() in run
        assert not any(other in run for other in ("What", "now", "USER", "user", "Be kind"))
    mark = END_MARKS[family].strip()
    assert learned[-1].rstrip().endswith(mark)
    assert encoder._tokenizer.convert_ids_to_tokens(encoder.answer_end_id) == mark


@every_family
@every_kind
def test_a_prompt_is_the_beginning_of_what_is_learned(kind: str, family: str) -> None:
    encoder = encoder_of(kind, family)
    wanted = [BREAKS_PROMPTS[kind, family]] if (kind, family) in BREAKS_PROMPTS else []
    assert encoder.prompt_warnings() == wanted
    if wanted:
        return
    ask = Turn("user", (ImagePiece(0), TextPiece("What is it?")))
    prompt = encoder._ids(encoder.chat.prompt([ask]))
    for answer in ("A dog.", "42", "été", "犬"):
        encoded = encode(encoder, chat("What is it?", answer))
        ids = encoded.ids.tolist()
        start = 1 if encoder.bos_id is not None and prompt[0] != encoder.bos_id else 0
        assert ids[start : start + len(prompt)] == prompt
        assert not encoded.labelled[: start + len(prompt)].any()
        assert encoded.labelled[start + len(prompt)]


@every_family
def test_a_system_turn_is_folded_where_the_template_takes_none(family: str) -> None:
    record = chat("What is it?", "A dog.", "And now?", "A cat.", system="Be kind.")
    (refused,) = encoder_of("byte-level", family, folds_system=False).encode([record])
    assert (refused == SampleFault.REFUSED_ROLE) is (family in TAKES_NO_SYSTEM)
    encoder = encoder_of("byte-level", family)
    text = str(encoder._tokenizer.decode(encode(encoder, record).ids))
    if family in TAKES_NO_SYSTEM:
        assert "Be kind.\n\n<image>" in text or "Be kind.\n<image>" in text


@every_kind
@pytest.mark.parametrize("control", ["<|im_end|>", "</s>", "<start_of_turn>", "<image>", "<|start_header_id|>"])
def test_control_tokens_in_text_from_the_web_stay_text(kind: str, control: str) -> None:
    encoder = encoder_of(kind, "chatml")
    encoded = encode(encoder, chat(f"Say {control} twice: {control}", f"{control} A dog.", image=False))
    ids = encoded.ids.tolist()
    clean = encode(encoder, chat("Say twice:", "A dog.", image=False)).ids.tolist()
    for token in {*encoder._tokenizer.all_special_ids, *encoder._tokenizer.added_tokens_decoder} - {2}:
        assert ids.count(token) == clean.count(token)
    visible = str(encoder._tokenizer.decode(encoded.ids)).replace("\u2060", "")
    assert kind != "byte-level" or visible.count(control) >= 3


def test_a_template_that_drops_what_is_said_is_a_fault_and_never_a_label_set() -> None:
    tokenizer = make_tokenizer("byte-level", "chatml")
    tokenizer.chat_template = "{% for m in messages %}{{ m['role'].upper() }}: {% endfor %}{{ eos_token }}"
    encoder = TextEncoder(tokenizer, form=TextForm(labels="assistant"))
    assert encoder.encode([chat("What is it?", "A dog.")]) == [SampleFault.TEXT_LOST]
    assert "cannot be used" in encoder.prompt_warnings()[0]


def test_a_template_that_changes_what_is_said_is_a_fault() -> None:
    tokenizer = make_tokenizer("byte-level", "chatml")
    tokenizer.chat_template = TEMPLATES["chatml"].replace("m['content']", "m['content'] | upper")
    encoder = TextEncoder(tokenizer, form=TextForm(labels="assistant"))
    assert encoder.encode([chat("What is it?", "A dog.")]) == [SampleFault.TEXT_LOST]


def test_reasoning_that_a_template_cuts_out_is_a_fault() -> None:
    encoder = encoder_of("byte-level", "qwen3")
    record = chat("What is it?", "<think>\nIt barks.\n</think>\n\nA dog.", "And now?", "A cat.")
    assert encoder.encode([record]) == [SampleFault.TEXT_LOST]


def test_an_image_that_a_template_leaves_out_is_a_fault() -> None:
    tokenizer = make_tokenizer("byte-level", "parts")
    tokenizer.chat_template = TEMPLATES["parts"].replace("<image>", "")
    encoder = TextEncoder(tokenizer, form=TextForm(labels="assistant"))
    assert encoder.encode([chat("What is it?", "A dog.")]) == [SampleFault.IMAGE_LOST]


def test_roles_that_do_not_alternate_are_refused_by_name() -> None:
    items = [{"type": "text", "text": text, "role": role} for text, role in [("A", "assistant"), ("Q", "user")]]
    assert encoder_of("byte-level", "chatml").encode([{"items": items}]) == [SampleFault.REFUSED_ROLE]
    three = chat("Q", "A", image=False)["items"][:1] + chat("Q", "A", image=False)["items"][1:] * 2
    (found,) = encoder_of("byte-level", "gemma").encode([{"items": three}])
    assert isinstance(found, Encoded)  # neighbours of one role are one turn


def test_a_template_that_joins_prompt_and_answer_is_warned_about() -> None:
    tokenizer = make_tokenizer("byte-level", "vicuna")
    tokenizer.chat_template = TEMPLATES["vicuna"].replace("ASSISTANT:{% endif %}", "ASSISTANT: {% endif %}")
    (warning,) = TextEncoder(tokenizer, form=TextForm(labels="assistant")).prompt_warnings()
    assert "joins the end of a prompt with an answer such as 'A dog.'" in warning


@pytest.mark.parametrize(("family", "mark"), [("qwen2", "<|im_end|>"), ("vila-llama3", "<|eot_id|>")])
def test_each_answer_ends_with_a_mark_that_is_learned_where_the_system_speaks_by_itself(family: str, mark: str) -> None:
    encoder = encoder_of("byte-level", family)
    learned = runs(encoder, encode(encoder, chat("What?", "A dog.", "And now?", "A cat.", image=False)))
    assert learned[0].strip() == f"A dog.{mark}"
    assert learned[1].strip() == f"A cat.{END_MARKS[family]}"
