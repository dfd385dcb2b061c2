"""Documents of an instructions source: text-only conversations in three common shapes."""

from collections.abc import Sequence

from curate.contract.reasons import IngestReason, Kind, Modality, Role
from curate.contract.records import Document, Item
from curate.ingest.config import InstructionsSource
from curate.ingest.files.faults import RecordError
from curate.ingest.files.row import Row, require_dict, require_list, require_str
from curate.ingest.formats.meta import keep_rest

_ROLES = {
    "system": Role.SYSTEM,
    "user": Role.USER,
    "human": Role.USER,  # ShareGPT, LLaVA
    "assistant": Role.ASSISTANT,
    "gpt": Role.ASSISTANT,  # ShareGPT, LLaVA
    "model": Role.ASSISTANT,  # Gemma
}
_TURN_KEYS = {"messages": ("role", "content"), "conversations": ("from", "value")}
_PLAIN_KEYS = ("instruction", "input", "output")
_IMAGE_KEYS = ("image", "images")

Turn = tuple[Role, str]


def read_instruction_row(row: Row, *, source: InstructionsSource) -> Document:  # noqa: ARG001  # as every reader
    """Return one text item per turn.

    Shapes, the first that is there: ``messages`` of {role, content}, ``conversations`` of {from, value},
    ``instruction`` with an optional ``input`` (joined by a blank line) and ``output``. A blank system turn is left
    out, since many sets have one in every record.

    Raises:
        RecordError: None of the shapes, a wrong type, an unknown role, an image (these sources are text only), or a
            conversation in which a turn is blank or the assistant never speaks (empty_document).
    """
    fields = row.fields
    image_key = next((key for key in _IMAGE_KEYS if fields.get(key)), None)
    if image_key is not None:
        raise RecordError(f"names an image in {image_key!r}, but instructions are text only")
    turns, used = _read_turns(fields)
    if not any(role is Role.ASSISTANT for role, _ in turns):
        raise RecordError("no assistant turn", IngestReason.EMPTY_DOCUMENT)
    items = tuple(Item(modality=Modality.TEXT, text=text, role=role) for role, text in turns)
    own_id = fields.get("id")
    native_id = str(own_id) if isinstance(own_id, str | int) else ""
    meta = keep_rest(fields, used=used)
    return Document(native_id=native_id, ordinal=row.place.ordinal, kind=Kind.TEXT, meta=meta, items=items)


def _read_turns(fields: dict[str, object]) -> tuple[list[Turn], Sequence[str]]:
    for name, (role_key, text_key) in _TURN_KEYS.items():
        if fields.get(name) is not None:
            listed = require_list(fields[name], name)
            turns = (_read_turn(turn, f"{name}[{i}]", role_key, text_key) for i, turn in enumerate(listed))
            return [turn for turn in turns if turn is not None], (name,)
    if fields.get("instruction") is not None:
        return _read_plain(fields), _PLAIN_KEYS
    raise RecordError("none of messages, conversations and instruction is there")


def _read_turn(turn: object, where: str, role_key: str, text_key: str) -> Turn | None:
    fields = require_dict(turn, where)
    name = require_str(fields.get(role_key), f"{where}.{role_key}")
    role = _ROLES.get(name.strip().lower())
    if role is None:
        raise RecordError(f"{where}.{role_key} is {name[:40]!r}, not one of {', '.join(_ROLES)}")
    text = require_str(fields.get(text_key), f"{where}.{text_key}").strip()
    if not text and role is not Role.SYSTEM:
        raise RecordError(f"{where}.{text_key} is empty", IngestReason.EMPTY_DOCUMENT)
    return (role, text) if text else None


def _read_plain(fields: dict[str, object]) -> list[Turn]:
    texts = {key: require_str("" if fields.get(key) is None else fields[key], key).strip() for key in _PLAIN_KEYS}
    for key in ("instruction", "output"):
        if not texts[key]:
            raise RecordError(f"{key} is empty", IngestReason.EMPTY_DOCUMENT)
    question = "\n\n".join(text for text in (texts["instruction"], texts["input"]) if text)
    return [(Role.USER, question), (Role.ASSISTANT, texts["output"])]
