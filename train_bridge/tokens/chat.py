"""Role documents to text through a chat template, with the spans that the assistant speaks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from jinja2 import TemplateError

from curate.contract.reasons import Role
from train_bridge.tokens.layout import ImagePiece, Layout, TextPiece

PLAIN_TEMPLATE = """\
{{ bos_token }}{% for message in messages %}\
{% if message['role'] == 'user' %}USER: {% elif message['role'] == 'assistant' %}ASSISTANT: {% endif %}\
{% if message['content'] is string %}{{ message['content'] }}{% else %}\
{% for part in message['content'] %}\
{% if part['type'] == 'image' %}<image>\n{% else %}{{ part['text'] }}{% endif %}\
{% endfor %}{% endif %}\
{% if message['role'] == 'assistant' %}{{ eos_token }}{% else %} {% endif %}\
{% endfor %}{% if add_generation_prompt %}ASSISTANT: {% endif %}"""
"""The form of a tokenizer that has no template: Vicuna's roles as in LLaVA-1.5, without its fixed system prompt.

It is stored with the exported tokenizer, so inference and training write a conversation alike.
"""


class ChatTokenizer(Protocol):
    """What is used of a Hugging Face tokenizer here."""

    def apply_chat_template(
        self, conversation: list[dict[str, str]], *, tokenize: bool, add_generation_prompt: bool
    ) -> object:
        """Return the conversation as text, which is a string unless ``tokenize``."""


class ChatError(Exception):
    """A conversation that the template cannot write."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChatText:
    """A conversation as text."""

    text: str
    labelled: tuple[tuple[int, int], ...]
    """Character spans of the assistant's answers, each with the template's end mark but not its header."""
    breaks: tuple[int, ...]
    """Characters at which a user's turn starts after an answer: the best places to split."""


def render_chat(layout: Layout, *, tokenizer: ChatTokenizer, image_mark: str) -> ChatText:
    """Write a conversation with the tokenizer's own template.

    The template is applied to each prefix of the conversation too: where prefixes agree, the text between two of them
    is exactly what one turn adds, whatever the template's syntax.

    Raises:
        ChatError: The template refuses the roles, or a later turn changes what it wrote for an earlier one.
    """
    messages = build_messages(layout, image_mark=image_mark)
    whole = _apply(tokenizer, messages)
    labelled: list[tuple[int, int]] = []
    breaks: list[int] = []
    for i, message in enumerate(messages):
        if message["role"] == Role.ASSISTANT:
            if i == 0:
                raise ChatError("the assistant speaks first")
            header = _prefix(tokenizer, messages[:i], whole=whole, prompt=True)
            end = _prefix(tokenizer, messages[: i + 1], whole=whole)
            labelled.append((header, header + len(whole[header:end].rstrip())))
        elif message["role"] == Role.USER and i > 0 and messages[i - 1]["role"] == Role.ASSISTANT:
            breaks.append(labelled[-1][1])
    return ChatText(text=whole, labelled=tuple(labelled), breaks=tuple(breaks))


def build_messages(layout: Layout, *, image_mark: str) -> list[dict[str, str]]:
    """Gather items into turns; neighbours of one role are one turn.

    An image belongs to the turn of the text that follows it; before an assistant's text, and at the end, it is the
    user's. It is written as ``image_mark`` and a line break, as LLaVA's prompts do.
    """
    messages: list[dict[str, str]] = []
    for place, piece in enumerate(layout):
        if isinstance(piece, TextPiece):
            _add(messages, role=_role(piece), content=piece.text, separator="\n")
            continue
        follower = _next_role(layout, place)
        if follower in (None, Role.ASSISTANT):
            follower = Role.USER
        _add(messages, role=follower, content=f"{image_mark}\n", separator="\n")
    return messages


def _add(messages: list[dict[str, str]], *, role: str, content: str, separator: str) -> None:
    if not messages or messages[-1]["role"] != role:
        messages.append({"role": role, "content": content})
        return
    joint = "" if messages[-1]["content"].endswith("\n") else separator
    messages[-1]["content"] += joint + content


def _role(piece: TextPiece) -> str:
    return piece.role if piece.role is not None else Role.USER


def _next_role(layout: Sequence[TextPiece | ImagePiece], place: int) -> str | None:
    return next((_role(piece) for piece in layout[place:] if isinstance(piece, TextPiece)), None)


def _prefix(tokenizer: ChatTokenizer, messages: list[dict[str, str]], *, whole: str, prompt: bool = False) -> int:
    text = _apply(tokenizer, messages, prompt=prompt)
    if not whole.startswith(text):
        raise ChatError("the template writes earlier turns differently once later ones follow")
    return len(text)


def _apply(tokenizer: ChatTokenizer, messages: list[dict[str, str]], *, prompt: bool = False) -> str:
    try:
        return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=prompt))
    except TemplateError as error:
        raise ChatError(str(error)) from error
