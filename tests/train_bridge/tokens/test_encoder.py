from typing import Any

import numpy as np
import pytest
from PIL import Image
from transformers import LlavaProcessor, PreTrainedTokenizerFast

from curate.contract.errors import CurateError
from train_bridge.tokens.encoder import IGNORED, Encoded, TextEncoder, TextForm, expand
from train_bridge.tokens.faults import SampleFault
from train_bridge.tokens.tiling import Tiling

TOKENS_PER_IMAGE = 4


def text(words: str, role: str | None = None) -> dict[str, Any]:
    return {"type": "text", "text": words} | ({} if role is None else {"role": role})


IMAGE = {"type": "image", "part": "0.jpg", "matched_item": None}
CHAT = {"items": [IMAGE, text("What?", "user"), text("A dog.", "assistant")]}


def encode(encoder: TextEncoder, record: dict[str, Any]) -> Encoded:
    (encoded,) = encoder.encode([record])
    assert isinstance(encoded, Encoded)
    return encoded


def decode(processor: LlavaProcessor, ids: Any) -> str:
    return str(processor.tokenizer.decode(ids))


def test_a_document_has_a_begin_an_end_and_a_placeholder_per_image(
    encoder: TextEncoder, processor: LlavaProcessor
) -> None:
    encoded = encode(encoder, {"items": [text("One."), IMAGE, text("Two."), text("Three.")]})
    assert decode(processor, encoded.ids) == "<s>One. <image>\nTwo. Three.</s>"
    assert encoded.images == (0,)
    starts = [decode(processor, encoded.ids[place:]) for place in encoded.breaks]
    assert [start.lstrip() for start in starts] == ["<image>\nTwo. Three.</s>", "Three.</s>"]


def test_all_text_is_labelled_but_never_the_begin_or_an_image(encoder: TextEncoder) -> None:
    encoded = encode(encoder, {"items": [IMAGE, text("One.")]})
    assert encoded.labelled.tolist() == [False, False] + [True] * (len(encoded.ids) - 2)


def test_expanded_ids_are_those_of_the_processor(encoder: TextEncoder, processor: LlavaProcessor) -> None:
    encoded = encode(encoder, {"items": [text("Look:"), IMAGE, text("a café, 図.")]})
    ids, _ = expand(
        encoded.ids, encoded.labelled, image_token_id=encoder.image_token_id, tokens_per_image=TOKENS_PER_IMAGE
    )
    wanted = processor(text="Look: <image>\na café, 図.", images=Image.new("RGB", (20, 20)), return_tensors="np")
    assert ids.tolist() == [*wanted["input_ids"][0].tolist(), encoder.eos_id]


def test_expanded_labels_leave_out_images_and_the_first_token() -> None:
    ids, labels = expand(
        np.array([7, 9, 5, 6], dtype=np.int32), np.ones(4, dtype=np.bool_), image_token_id=9, tokens_per_image=2
    )
    assert ids.tolist() == [7, 9, 9, 5, 6]
    assert labels.tolist() == [IGNORED, IGNORED, IGNORED, 5, 6]


def test_assistant_labels_are_its_turns_and_their_end(processor: LlavaProcessor) -> None:
    encoder = TextEncoder(processor.tokenizer, form=TextForm(labels="assistant"))
    encoded = encode(encoder, CHAT)
    assert decode(processor, encoded.ids) == "<s>USER: <image>\nWhat? ASSISTANT: A dog.</s>"
    assert decode(processor, encoded.ids[encoded.labelled]).strip() == "A dog.</s>"


def test_a_conversation_is_the_one_of_the_processor(processor: LlavaProcessor) -> None:
    encoder = TextEncoder(processor.tokenizer, form=TextForm(labels="assistant"))
    content = [{"type": "image"}, {"type": "text", "text": "What?"}]
    prompt = processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
    assert decode(processor, encode(encoder, CHAT).ids).startswith(prompt)


def test_conversations_break_before_the_user_speaks_again(encoder: TextEncoder, processor: LlavaProcessor) -> None:
    encoded = encode(encoder, {"items": CHAT["items"][1:] * 2})
    (place,) = encoded.breaks
    assert decode(processor, encoded.ids[place:]).lstrip() == "USER: What? ASSISTANT: A dog.</s>"


def test_text_that_spells_special_tokens_stays_text(encoder: TextEncoder, processor: LlavaProcessor) -> None:
    encoded = encode(encoder, {"items": [text("Write <image> and </s> here.")]})
    assert encoded.images == ()
    assert (encoded.ids == encoder.image_token_id).sum() == 0
    assert decode(processor, encoded.ids) == "<s>Write <\u2060image> and <\u2060/s> here.</s>"


@pytest.mark.parametrize(
    ("record", "labels", "fault"),
    [
        ({}, "all", SampleFault.MALFORMED),
        ({"items": [{"type": "text"}]}, "all", SampleFault.MALFORMED),
        ({"items": []}, "all", SampleFault.NO_TEXT),
        ({"items": [IMAGE]}, "all", SampleFault.NO_TEXT),
        ({"items": [text(" \n")]}, "all", SampleFault.NO_TEXT),
        ({"items": [text("Hi.")]}, "assistant", SampleFault.NO_ASSISTANT),
        ({"items": [text("Hi.", "user")]}, "assistant", SampleFault.NO_ASSISTANT),
        ({"items": [text("Hi.", "assistant")]}, "all", SampleFault.REFUSED_ROLE),
    ],
)
def test_faults(processor: LlavaProcessor, record: dict[str, Any], labels: Any, fault: SampleFault) -> None:
    encoder = TextEncoder(processor.tokenizer, form=TextForm(labels=labels))
    results = encoder.encode([record, {"items": [text("A", "user"), text("B", "assistant")]}])
    assert results[0] == fault
    assert isinstance(results[1], Encoded)


def test_the_fingerprint_changes_with_what_changes_tokens(processor: LlavaProcessor) -> None:
    forms = [TextForm(), TextForm(placement="matched"), TextForm(text_separator="\n"), TextForm(labels="assistant")]
    prints = [TextEncoder(processor.tokenizer, form=form).fingerprint() for form in forms]
    assert len(set(prints)) == len(forms)
    assert TextEncoder(processor.tokenizer, form=TextForm()).fingerprint() == prints[0]


def test_a_tokenizer_without_an_end_token_is_refused(processor: LlavaProcessor) -> None:
    backend = processor.tokenizer.backend_tokenizer
    with pytest.raises(CurateError, match="end-of-sequence"):
        TextEncoder(PreTrainedTokenizerFast(tokenizer_object=backend), form=TextForm())


def test_an_image_token_of_several_tokens_is_refused(processor: LlavaProcessor) -> None:
    with pytest.raises(CurateError, match="not one token"):
        TextEncoder(processor.tokenizer, form=TextForm(), image_mark="<picture>")


def sized(width: int, height: int) -> dict[str, Any]:
    return IMAGE | {"width": width, "height": height}


def test_tiles_are_images_of_their_own(processor: LlavaProcessor) -> None:
    tiling = Tiling(mode="tiles", size_px=16, max_tiles=4)
    encoder = TextEncoder(processor.tokenizer, form=TextForm(tiling=tiling))
    encoded = encode(encoder, {"items": [text("One."), sized(64, 32), text("Two.")]})
    assert decode(processor, encoded.ids) == "<s>One. <image>\n<image>\n<image>\nTwo.</s>"
    assert (encoded.images, encoded.grids) == ((0, 0, 0), {0: (1, 2)})
    assert decode(processor, encoded.ids[encoded.breaks[0] :]).lstrip().startswith("<image>")
    assert encoder.fingerprint() != TextEncoder(processor.tokenizer, form=TextForm()).fingerprint()


def test_a_line_break_of_the_model_stands_behind_each_image(processor: LlavaProcessor) -> None:
    tiling = Tiling(mode="s2", size_px=16, max_tiles=9)
    for own, places in ((None, 1), (tiling, 9)):
        encoder = TextEncoder(processor.tokenizer, form=TextForm(tiling=own, image_newline=True))
        encoded = encode(encoder, {"items": [sized(16, 16), text("\nTwo.")]})
        newline = processor.tokenizer.encode("\n", add_special_tokens=False)
        image = [processor.image_token_id] * places
        tail = processor.tokenizer.encode("\nTwo.", add_special_tokens=False)
        assert encoded.ids.tolist() == [0, *image, *newline, *tail, 1]
        assert encoded.labelled[: 1 + places + len(newline)].sum() == 0


def test_an_image_without_a_size_cannot_be_cut(processor: LlavaProcessor) -> None:
    encoder = TextEncoder(processor.tokenizer, form=TextForm(tiling=Tiling(mode="tiles", size_px=16)))
    assert encoder.encode([{"items": [IMAGE, text("Two.")]}]) == [SampleFault.MALFORMED]
    assert encoder.encode([{"items": [sized(0, 0), text("Two.")]}]) == [SampleFault.MALFORMED]
