"""Conversations to text through a chat template, with the spans that the assistant speaks.

Templates do as they please: they trim, refuse roles, take strings or lists of parts, write the last turn otherwise. So
a template is probed once, and then each conversation is written twice: with a mark in place of every text, which shows
what the template itself adds and where the texts go; and as it is, which must be the first with the marks replaced.
What goes in is thereby known to come out, and every answer is found, whatever the syntax.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Protocol

from jinja2 import TemplateError

from curate.contract.reasons import Role
from train_bridge.tokens.faults import SampleFault
from train_bridge.tokens.layout import TextPiece
from train_bridge.tokens.turns import ContentForm, Message, Turn, fold_system, write_messages

PLAIN_TEMPLATE = """\
{{ bos_token }}{% for message in messages %}\
{% if message['role'] == 'user' %}USER: {% elif message['role'] == 'assistant' %}ASSISTANT: {% endif %}\
{% if message['content'] is string %}{{ message['content'] }}{% else %}\
{% for part in message['content'] %}\
{% if part['type'] == 'image' %}<image>\n{% else %}{{ part['text'] }}{% endif %}\
{% endfor %}{% endif %}\
{% if message['role'] == 'assistant' %}{{ eos_token }}{% else %} {% endif %}\
{% endfor %}{% if add_generation_prompt %}ASSISTANT:{% endif %}"""
"""The form of a tokenizer that has no template: Vicuna's roles as in LLaVA-1.5, without its fixed system prompt.

A prompt does not end in a space: most tokenizers join a space with the word behind it, so the answer's first token
would be another one than in training. It is stored with the exported tokenizer, so inference and training write a
conversation alike.
"""
MAX_SKELETONS = 1024
"""Shapes of conversations that are remembered."""


class ChatTokenizer(Protocol):
    """What is used of a Hugging Face tokenizer here."""

    def apply_chat_template(
        self, conversation: list[Message], *, tokenize: bool, add_generation_prompt: bool
    ) -> object:
        """Return the conversation as text, which is a string unless ``tokenize``."""


class ChatError(Exception):
    """A conversation that the template cannot write."""

    def __init__(self, fault: SampleFault, what: str) -> None:
        super().__init__(fault, what)
        self.fault, self.what = fault, what

    def __str__(self) -> str:
        return self.what


@dataclass(frozen=True, kw_only=True, slots=True)
class ChatText:
    """A conversation as text."""

    text: str
    labelled: tuple[tuple[int, int], ...]
    """Character spans of the assistant's answers: from where a prompt would end, the template's end mark included."""
    breaks: tuple[int, ...]
    """Characters at which a user's turn starts after an answer: the best places to split."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Probed:
    """What a template does."""

    form: ContentForm
    takes_system: bool
    prompt_tail: str
    """What a prompt has behind the user's last text."""
    end_mark: str
    """What the template writes behind an answer that another turn follows, white space at its end left out."""
    last_mark: str
    """What it writes behind the last one."""


class ChatTemplate:
    """The chat template of a tokenizer, and what a few conversations have shown of it. Safe to use from threads."""

    def __init__(
        self,
        tokenizer: ChatTokenizer,
        *,
        image_text: str,
        specials: Collection[str] = (),
        folds_system: bool = True,
    ) -> None:
        """Probe the template.

        Args:
            tokenizer: Has the template.
            image_text: How an image is written where content is a string.
            specials: Special tokens, which tell the marks of turns from each other.
            folds_system: What the system says goes into the user's first turn where the template takes no system, or
                loses it; otherwise such conversations are faults.
        """
        self._tokenizer, self._image_text, self._folds_system = tokenizer, image_text, folds_system
        self._specials = frozenset(specials)
        self._skeletons: dict[tuple[object, ...], list[str]] = {}
        self._probed = self._probe()

    @property
    def end_mark(self) -> str:
        """What ends the last answer; empty where the template writes nothing there."""
        return self._probed.last_mark

    def render(self, turns: Sequence[Turn]) -> ChatText:
        """Write a conversation.

        Raises:
            ChatError: The template refuses its roles, or leaves out or changes what somebody says.
        """
        turns = self._prepared(turns)
        skeleton = self._skeleton(turns, self._probed.form)
        text = self._apply(turns, self._probed.form)
        places = _find_texts(text, skeleton, [text for turn in turns for text in turn.texts])
        return self._mark_answers(turns, text, places)

    def prompt(self, turns: Sequence[Turn]) -> str:
        """Write a conversation up to where the assistant goes on.

        Raises:
            ChatError: See ``render``.
        """
        return self._apply(self._prepared(turns), self._probed.form, prompt=True)

    def _prepared(self, turns: Sequence[Turn]) -> list[Turn]:
        if turns and turns[0].role == Role.ASSISTANT:
            raise ChatError(SampleFault.REFUSED_ROLE, "the assistant speaks first")
        has_system = any(turn.role == Role.SYSTEM for turn in turns)
        if has_system and not self._probed.takes_system:
            if not self._folds_system:
                raise ChatError(SampleFault.REFUSED_ROLE, "the chat template takes no system; see data.chat.system")
            return fold_system(turns)
        return list(turns)

    def _mark_answers(self, turns: Sequence[Turn], text: str, places: Sequence[tuple[int, int]]) -> ChatText:
        labelled: list[tuple[int, int]] = []
        breaks: list[int] = []
        tail, spoken, before = self._probed.prompt_tail, 0, 0
        for number, turn in enumerate(turns):
            own = places[spoken : spoken + len(turn.texts)]
            spoken += len(own)
            if turn.role == Role.ASSISTANT and own:
                start, stop = own[0][0], own[-1][1]
                start = before + len(tail) if tail and text.startswith(tail, before, start) else start
                marks = (self._probed.end_mark, self._probed.last_mark)
                mark = marks[number == len(turns) - 1]
                labelled.append((start, stop + len(mark) if text.startswith(mark, stop) else stop))
            elif turn.role == Role.USER and labelled and turns[number - 1].role == Role.ASSISTANT:
                breaks.append(labelled[-1][1])
            before = own[-1][1] if own else before
        return ChatText(text=text, labelled=tuple(labelled), breaks=tuple(breaks))

    def _skeleton(self, turns: Sequence[Turn], form: ContentForm) -> list[str]:
        """Return what the template writes before, between and behind the texts of such a conversation."""
        shape = tuple((turn.role, tuple(isinstance(piece, TextPiece) for piece in turn.pieces)) for turn in turns)
        found = self._skeletons.get((form, *shape))
        if found is None:
            found = self._draw_skeleton(turns, form)
            if len(self._skeletons) >= MAX_SKELETONS:
                self._skeletons.clear()
            self._skeletons[form, *shape] = found
        return found

    def _draw_skeleton(self, turns: Sequence[Turn], form: ContentForm) -> list[str]:
        marks = [_mark(number) for number in range(sum(len(turn.texts) for turn in turns))]
        left = iter(marks)
        marked = [
            Turn(turn.role, tuple(TextPiece(next(left)) if isinstance(p, TextPiece) else p for p in turn.pieces))
            for turn in turns
        ]
        rest, between = self._apply(marked, form), []
        for mark in marks:
            before, found, rest = rest.partition(mark)
            if not found or mark in rest:
                raise ChatError(
                    SampleFault.TEXT_LOST, "the chat template leaves out, repeats or moves what a turn says"
                )
            between.append(before)
        return [*between, rest]

    def _apply(self, turns: Sequence[Turn], form: ContentForm, *, prompt: bool = False) -> str:
        messages = write_messages(turns, form=form, image_text=self._image_text)
        try:
            return str(self._tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=prompt))
        except (TemplateError, TypeError, KeyError, ValueError) as error:
            what = " ".join(str(error).split())
            raise ChatError(SampleFault.REFUSED_ROLE, f"the chat template refuses a conversation ({what})") from error

    def _probe(self) -> _Probed:
        """Ask the template for short conversations, and look at what comes."""
        ask, answer = Turn(Role.USER, (TextPiece("Q"),)), Turn(Role.ASSISTANT, (TextPiece("A"),))
        form: ContentForm = "string" if self._writes([ask, answer], "string") else "parts"
        if form == "parts" and not self._writes([ask, answer], "parts"):
            form = "string"  # neither: each conversation is a fault of its own
        # Some put it into the last turn of the user, which only a longer conversation shows.
        longer = [ask, answer, ask, answer]
        turns = longer if self._writes(longer, form) else [ask, answer]
        between = self._skeleton(turns, form) if self._writes(turns, form) else [""]
        end_mark = self._without_header(between[2], between[0]) if turns is longer else ""
        last = between[-1].rstrip()
        return _Probed(
            form=form,
            takes_system=self._writes([Turn(Role.SYSTEM, (TextPiece("S"),)), *turns], form),
            prompt_tail=self._prompt_tail(ask, form),
            end_mark=end_mark,
            last_mark=end_mark if end_mark and last.startswith(end_mark) else last,
        )

    def _without_header(self, between: str, first: str) -> str:
        """Return what stands between an answer and the user's next text less what opens any turn of the user.

        Args:
            between: Behind an answer.
            first: Before the user's first text: it ends in the same header.
        """
        left, other = self._atoms(between), self._atoms(first)
        while left and other and left[-1] == other[-1]:
            left.pop()
            other.pop()
        if not left and any(atom.strip() and atom not in self._specials for atom in other):
            # A template that speaks for the system by itself ends that as it ends an answer.
            ends = self._atoms(between)[:1]
            return "".join(ends) if self._specials.issuperset(ends) else ""
        if left and other and not {left[-1], other[-1]} & self._specials:
            pairs = zip(reversed(left[-1]), reversed(other[-1]), strict=False)
            num_common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
            left[-1] = left[-1][: len(left[-1]) - num_common]
        return "".join(left).rstrip()

    def _atoms(self, text: str) -> list[str]:
        """Return special tokens and what stands between them."""
        pattern = "|".join(re.escape(special) for special in sorted(self._specials, key=len, reverse=True))
        return [atom for atom in re.split(f"({pattern})", text) if atom] if pattern else [text]

    def _writes(self, turns: Sequence[Turn], form: ContentForm) -> bool:
        try:
            self._skeleton(turns, form)
        except ChatError:
            return False
        return True

    def _prompt_tail(self, ask: Turn, form: ContentForm) -> str:
        marked = Turn(ask.role, (TextPiece(_mark(0)),))
        try:
            return self._apply([marked], form, prompt=True).partition(_mark(0))[2]
        except ChatError:
            return ""


def _mark(number: int) -> str:
    """Return a text that no template looks into and nobody writes: private characters around a number."""
    return f"\ue000{number}\ue001"


def _find_texts(written: str, skeleton: Sequence[str], texts: Sequence[str]) -> list[tuple[int, int]]:
    """Return where each text stands in what the template wrote, as it is or without white space around it.

    Raises:
        ChatError: One is not there in full, in its place.
    """
    for form in (texts, [text.strip() for text in texts]):
        pieces = [piece for pair in zip(skeleton, [*form, ""], strict=True) for piece in pair]
        if "".join(pieces) == written:
            return _places(skeleton, form)
    places, end = [], 0
    for before, text in zip(skeleton, texts, strict=False):
        start = _find_after(written, before, text.strip(), end)
        end = start + len(text.strip())
        places.append((start, end))
    return places


def _places(skeleton: Sequence[str], texts: Sequence[str]) -> list[tuple[int, int]]:
    places, end = [], 0
    for before, text in zip(skeleton, texts, strict=False):
        start = end + len(before)
        end = start + len(text)
        places.append((start, end))
    return places


def _find_after(written: str, before: str, text: str, end: int) -> int:
    """Return where ``text`` stands behind ``before``, which may be spaced otherwise than with marks."""
    start, wanted = end, "".join(before.split())
    while (start := written.find(text, start)) >= 0:
        if "".join(written[end:start].split()) == wanted:
            return start
        start += 1
    raise ChatError(SampleFault.TEXT_LOST, "the chat template leaves out, or changes, what a turn says")
