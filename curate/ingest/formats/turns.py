"""What is said in a record of instructions, whichever published set it is shaped after."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from curate.contract.reasons import IngestReason, Role
from curate.ingest.files.faults import RecordError
from curate.ingest.files.row import require_dict, require_list, require_str

IMAGE_MARK = "<image>"

_ROLES = {
    "system": Role.SYSTEM,
    "user": Role.USER,
    "human": Role.USER,  # ShareGPT, LLaVA
    "assistant": Role.ASSISTANT,
    "gpt": Role.ASSISTANT,  # ShareGPT, LLaVA
    "model": Role.ASSISTANT,  # Gemma
}
TURN_LISTS = ("messages", "conversations", "conversation")
"""Fields that list turns, each with its speaker."""
_ROLE_KEYS = ("role", "from")
_TEXT_KEYS = ("content", "value")
_SYSTEM_KEYS = ("system_prompt", "system")
_ULTRACHAT = "data"
_TEXT_PART = frozenset({"text", "input_text", "output_text"})
_IMAGE_PART = frozenset({"image", "image_url", "input_image"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """What one speaker says."""

    role: Role
    text: str
    """With an image mark wherever the record has an image."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Talk:
    """All turns of a record."""

    turns: list[Turn]
    used: tuple[str, ...]
    """Columns that the turns were made of."""
    images: list[str]
    """Addresses that stand in the turns themselves, in order; an empty string is the next one of the record's list."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Shape:
    """Columns of a set with one question and one answer a record."""

    question: str
    answer: str
    context: str | None = None
    """Joined to the question by a blank line."""


_SHAPES = (
    _Shape(question="instruction", context="input", answer="output"),  # Alpaca
    _Shape(question="instruction", context="context", answer="response"),  # Dolly
    _Shape(question="inputs", answer="targets"),  # FLAN
    _Shape(question="question", answer="response"),  # OpenOrca
    _Shape(question="question", answer="answer"),  # VILA's vflan
    _Shape(question="prompt", answer="response"),
    _Shape(question="prompt", answer="completion"),  # OpenAI
)


def read_talk(fields: Mapping[str, Any], *, roles: Mapping[str, Role]) -> Talk:
    """Return the turns of a record; its docstring's order of shapes is the order in which they are tried.

    Shapes: ``messages``, ``conversations`` or ``conversation`` of {role, content} or {from, value}; ``data`` of strings
    by turns, the user first (UltraChat); one question and one answer (Alpaca, Dolly, FLAN, OpenOrca and others). A
    system prompt in a column of its own goes in front. A blank system turn is left out, since many sets have one in
    every record.

    Args:
        fields: The record.
        roles: What the recipe calls speakers beside the usual names, in lower case.

    Raises:
        RecordError: None of the shapes, a wrong type, an unknown role, or a blank turn (empty_document).
    """
    images: list[str] = []
    used: tuple[str, ...]
    listed = next((name for name in TURN_LISTS if fields.get(name) is not None), None)
    if listed is not None:
        reader = _TurnReader(roles={**_ROLES, **roles}, images=images)
        read = [reader.read(turn, f"{listed}[{i}]") for i, turn in enumerate(require_list(fields[listed], listed))]
        turns, used = [turn for turn in read if turn is not None], (listed,)
    elif isinstance(fields.get(_ULTRACHAT), list):
        turns, used = _read_alternating(fields[_ULTRACHAT]), (_ULTRACHAT,)
    else:
        turns, used = _read_plain(fields)
    if turns and turns[0].role is not Role.SYSTEM:
        system = next((key for key in _SYSTEM_KEYS if isinstance(fields.get(key), str)), None)
        if system is not None:
            text = fields[system].strip()
            turns, used = [*([Turn(role=Role.SYSTEM, text=text)] if text else []), *turns], (*used, system)
    return Talk(turns=turns, used=used, images=images)


@dataclass(frozen=True, kw_only=True, slots=True)
class _TurnReader:
    """Reads turns that name their speaker."""

    roles: Mapping[str, Role]
    images: list[str]
    """Takes the images that are met."""

    def read(self, turn: object, where: str) -> Turn | None:
        fields = require_dict(turn, where)
        role_key = next((key for key in _ROLE_KEYS if key in fields), _ROLE_KEYS[0])
        text_key = next((key for key in _TEXT_KEYS if key in fields), _TEXT_KEYS[role_key == "from"])
        name = require_str(fields.get(role_key), f"{where}.{role_key}")
        role = self.roles.get(name.strip().lower())
        if role is None:
            hint = "the recipe may say what it is, such as roles: {bot: assistant}"
            raise RecordError(f"{where}.{role_key} is {name[:40]!r}, not one of {', '.join(self.roles)}; {hint}")
        text = self._read_content(fields.get(text_key), f"{where}.{text_key}").strip()
        if not text and role is not Role.SYSTEM:
            raise RecordError(f"{where}.{text_key} is empty", IngestReason.EMPTY_DOCUMENT)
        return Turn(role=role, text=text) if text else None

    def _read_content(self, content: object, where: str) -> str:
        if not isinstance(content, list):
            return require_str(content, where)
        return "\n".join(self._read_part(part, f"{where}[{i}]") for i, part in enumerate(content))

    def _read_part(self, part: object, where: str) -> str:
        fields = require_dict(part, where)
        kind = str(fields.get("type"))
        if kind in _TEXT_PART:
            return require_str(fields.get("text"), f"{where}.text")
        if kind not in _IMAGE_PART:
            raise RecordError(f"{where}.type is {str(kind)[:40]!r}, neither text nor an image")
        place = next((fields[key] for key in ("image_url", "url", "image", "path") if fields.get(key) is not None), "")
        self.images.append(require_str(place.get("url") if isinstance(place, dict) else place, f"{where} image"))
        return IMAGE_MARK


def _read_alternating(listed: Sequence[object]) -> list[Turn]:
    turns = []
    for i, said in enumerate(listed):
        text = require_str(said, f"{_ULTRACHAT}[{i}]").strip()
        if not text:
            raise RecordError(f"{_ULTRACHAT}[{i}] is empty", IngestReason.EMPTY_DOCUMENT)
        turns.append(Turn(role=Role.ASSISTANT if i % 2 else Role.USER, text=text))
    return turns


def _read_plain(fields: Mapping[str, Any]) -> tuple[list[Turn], tuple[str, ...]]:
    shape = next((each for each in _SHAPES if each.question in fields and each.answer in fields), None)
    if shape is None:
        pairs = ", ".join(f"{each.question}/{each.answer}" for each in _SHAPES)
        raise RecordError(f"none of {', '.join(TURN_LISTS)}, {_ULTRACHAT}, {pairs} is there")
    used = tuple(key for key in (shape.question, shape.context, shape.answer) if key is not None)
    texts = {key: require_str("" if fields.get(key) is None else fields[key], key).strip() for key in used}
    for key in (shape.question, shape.answer):
        if not texts[key]:
            raise RecordError(f"{key} is empty", IngestReason.EMPTY_DOCUMENT)
    question = "\n\n".join(text for key, text in texts.items() if text and key != shape.answer)
    return [Turn(role=Role.USER, text=question), Turn(role=Role.ASSISTANT, text=texts[shape.answer])], used
