import pytest
from transformers import LlavaProcessor

from train_bridge.tokens.chat import ChatError, build_messages, render_chat
from train_bridge.tokens.layout import ImagePiece, TextPiece

ASK, ANSWER = TextPiece("What?", "user"), TextPiece("A dog.", "assistant")
CHATML = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


class FakeTokenizer:
    """Renders a template as a tokenizer does."""

    def __init__(self, processor: LlavaProcessor, template: str) -> None:
        self._tokenizer, self._template = processor.tokenizer, template

    def apply_chat_template(self, conversation: list[dict[str, str]], **options: object) -> object:
        return self._tokenizer.apply_chat_template(conversation, chat_template=self._template, **options)


def test_neighbours_of_one_role_are_one_turn() -> None:
    messages = build_messages([ASK, TextPiece("Now.", "user"), ANSWER], image_mark="<image>")
    assert messages == [{"role": "user", "content": "What?\nNow."}, {"role": "assistant", "content": "A dog."}]


@pytest.mark.parametrize(
    ("layout", "first"),
    [
        ([ImagePiece(0), ASK, ANSWER], "<image>\nWhat?"),
        ([ASK, ImagePiece(0), ANSWER], "What?\n<image>\n"),
        ([ImagePiece(0), ImagePiece(1), ASK, ANSWER], "<image>\n<image>\nWhat?"),
        ([ImagePiece(0), ANSWER], "<image>\n"),
    ],
)
def test_images_are_the_users(layout: list[TextPiece | ImagePiece], first: str) -> None:
    messages = build_messages(layout, image_mark="<image>")
    assert messages == [{"role": "user", "content": first}, {"role": "assistant", "content": "A dog."}]


def test_a_last_image_is_a_turn_of_its_own() -> None:
    assert build_messages([ASK, ANSWER, ImagePiece(0)], image_mark="<image>")[-1] == {
        "role": "user",
        "content": "<image>\n",
    }


def test_labels_are_answers_with_their_end_mark(processor: LlavaProcessor) -> None:
    layout = [TextPiece("Be kind.", "system"), ASK, ANSWER, ASK, ANSWER]
    for template, end in [(CHATML, "<|end|>"), (None, "</s>")]:
        tokenizer = processor.tokenizer if template is None else FakeTokenizer(processor, template)
        chat = render_chat(layout, tokenizer=tokenizer, image_mark="<image>")
        assert [chat.text[start:stop] for start, stop in chat.labelled] == [f"A dog.{end}"] * 2
        (turn,) = chat.breaks
        assert chat.text[turn:].lstrip().startswith("USER:" if template is None else "<|user|>")


def test_a_template_that_refuses_the_roles(processor: LlavaProcessor) -> None:
    strict = "{% for m in messages %}{{ raise_exception('no system') if m['role'] == 'system' }}{% endfor %}"
    with pytest.raises(ChatError, match="no system"):
        render_chat([TextPiece("x", "system"), ASK], tokenizer=FakeTokenizer(processor, strict), image_mark="<image>")


def test_a_template_that_rewrites_earlier_turns(processor: LlavaProcessor) -> None:
    last_only = "{{ messages | length }}{% for m in messages %}{{ m['content'] }}{% endfor %}"
    with pytest.raises(ChatError, match="differently"):
        render_chat([ASK, ANSWER], tokenizer=FakeTokenizer(processor, last_only), image_mark="<image>")


def test_the_assistant_may_not_speak_first(processor: LlavaProcessor) -> None:
    with pytest.raises(ChatError, match="first"):
        render_chat([ANSWER, ASK], tokenizer=processor.tokenizer, image_mark="<image>")
