import pytest
from transformers import LlavaProcessor

from train_bridge.tokens.chat import MAX_SKELETONS, ChatError, ChatTemplate
from train_bridge.tokens.faults import SampleFault
from train_bridge.tokens.layout import ImagePiece, TextPiece
from train_bridge.tokens.turns import Message, Turn

CHATML = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SYSTEM, ASK, ANSWER = (
    Turn(role, (TextPiece(text),))
    for role, text in [("system", "Be kind."), ("user", "What?"), ("assistant", "A dog.")]
)


class FakeTokenizer:
    """Renders a template as a tokenizer does, and counts how often."""

    def __init__(self, processor: LlavaProcessor, template: str) -> None:
        self._tokenizer, self._template, self.num_calls = processor.tokenizer, template, 0

    def apply_chat_template(
        self, conversation: list[Message], *, tokenize: bool, add_generation_prompt: bool
    ) -> object:
        self.num_calls += 1
        return self._tokenizer.apply_chat_template(
            conversation,
            chat_template=self._template,
            tokenize=tokenize,
            add_generation_prompt=add_generation_prompt,
        )


def template(processor: LlavaProcessor, text: str, *, folds_system: bool = True) -> ChatTemplate:
    return ChatTemplate(FakeTokenizer(processor, text), image_text="<image>\n", folds_system=folds_system)


@pytest.mark.parametrize(
    ("text", "answer", "user"), [(CHATML, "A dog.<|end|>", "<|user|>"), (None, " A dog.</s>", "USER:")]
)
def test_labels_are_answers_with_their_end_mark(
    processor: LlavaProcessor, text: str | None, answer: str, user: str
) -> None:
    chat = ChatTemplate(
        processor.tokenizer if text is None else FakeTokenizer(processor, text),
        image_text="<image>\n",
        specials=["<s>", "</s>", "<|end|>"],
    )
    written = chat.render([SYSTEM, ASK, ANSWER, ASK, ANSWER])
    assert [written.text[start:stop] for start, stop in written.labelled] == [answer] * 2
    (turn,) = written.breaks
    assert written.text[turn:].lstrip().startswith(user)
    assert written.text.startswith(chat.prompt([SYSTEM, ASK]))


def test_an_answer_begins_where_a_prompt_ends(processor: LlavaProcessor) -> None:
    """This template opens no turn for the assistant, so a model has to do it; nor does it end one."""
    plain = "{% for m in messages %}### {{ m['role'] }}:\n{{ m['content'] }}\n\n{% endfor %}"
    chat = template(processor, plain)
    assert chat.end_mark == ""
    written = chat.render([ASK, ANSWER, ASK, ANSWER])
    assert [written.text[start:stop] for start, stop in written.labelled] == ["### assistant:\nA dog."] * 2


def test_a_template_that_refuses_the_roles(processor: LlavaProcessor) -> None:
    strict = "{% for m in messages %}{{ raise_exception('no system') if m['role'] == 'system' }}{% endfor %}" + CHATML
    with pytest.raises(ChatError, match="takes no system") as caught:
        template(processor, strict, folds_system=False).render([SYSTEM, ASK, ANSWER])
    assert caught.value.fault is SampleFault.REFUSED_ROLE
    written = template(processor, strict).render([SYSTEM, ASK, ANSWER])
    assert "Be kind.\n\nWhat?" in written.text


def test_what_the_template_adds_may_depend_on_the_length_of_the_conversation(processor: LlavaProcessor) -> None:
    counting = "{{ messages | length }} turns. " + CHATML
    written = template(processor, counting).render([ASK, ANSWER])
    assert written.text.startswith("2 turns. ")
    assert [written.text[start:stop] for start, stop in written.labelled] == ["A dog.<|end|>"]


@pytest.mark.parametrize("trim", ["m['content'] | trim", "m['content'].strip()", "' ' ~ m['content'] | trim ~ ' '"])
def test_white_space_may_go_or_come(processor: LlavaProcessor, trim: str) -> None:
    chat = template(processor, CHATML.replace("m['content']", trim))
    turns = [Turn("user", (TextPiece("  What? \n"),)), Turn("assistant", (TextPiece("\nA dog. "),))]
    written = chat.render(turns)
    ((start, stop),) = written.labelled
    assert "A dog." in written.text[start:stop]
    assert "What" not in written.text[start:stop]


def test_an_answer_that_is_said_before_is_found_in_its_place(processor: LlavaProcessor) -> None:
    """Also where white space is changed inside, so that texts have to be searched for."""
    squeezed = CHATML.replace(
        "<|{{ m['role'] }}|>{{ m['content'] }}", "<|{{ m['role'] }}|>\n {{ m['content'] | trim }} "
    )
    chat = template(processor, squeezed)
    turns = [Turn("user", (TextPiece("user assistant A "),)), Turn("assistant", (TextPiece("A "),))]
    ((start, stop),) = chat.render(turns).labelled
    assert chat.render(turns).text[start:stop].strip().startswith("A")
    assert start > chat.render(turns).text.index("<|assistant|>")


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ("m['content'][:3]", SampleFault.TEXT_LOST),
        ("m['content'] ~ m['content']", SampleFault.TEXT_LOST),
        ("''", SampleFault.TEXT_LOST),
        ("m['content'] | replace('dog', 'cat')", SampleFault.TEXT_LOST),
        ("m['nothing']['at all']", SampleFault.REFUSED_ROLE),
    ],
)
def test_what_is_lost_or_changed_is_a_fault(processor: LlavaProcessor, changed: str, fault: SampleFault) -> None:
    with pytest.raises(ChatError) as caught:
        template(processor, CHATML.replace("m['content']", changed)).render([ASK, ANSWER])
    assert caught.value.fault is fault


def test_the_assistant_may_not_speak_first(processor: LlavaProcessor) -> None:
    with pytest.raises(ChatError, match="first"):
        template(processor, CHATML).render([ANSWER, ASK])


def test_conversations_of_one_shape_are_drawn_once(processor: LlavaProcessor) -> None:
    fake = FakeTokenizer(processor, CHATML)
    chat = ChatTemplate(fake, image_text="<image>\n")
    chat.render([ASK, ANSWER])
    before = fake.num_calls
    for number in range(5):
        chat.render([Turn("user", (TextPiece(f"{number}?"),)), ANSWER])
    assert fake.num_calls == before + 5
    for number in range(MAX_SKELETONS + 1):
        chat._skeleton([Turn(f"role {number}", (ImagePiece(0), TextPiece("x")))], "string")
    assert len(chat._skeletons) <= MAX_SKELETONS
