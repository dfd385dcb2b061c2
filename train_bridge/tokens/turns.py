"""Items of a conversation gathered into turns, and turns as the messages that a chat template takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from curate.contract.reasons import Role
from train_bridge.tokens.layout import ImagePiece, Layout, TextPiece

ContentForm = Literal["string", "parts"]
"""What a template takes as content: one string, or ``[{"type": "image"}, {"type": "text", "text": ...}]``."""
Message = dict[str, object]
SYSTEM_SEPARATOR = "\n\n"


@dataclass(frozen=True, slots=True)
class Turn:
    """What one role says at a time: texts and images in order, no two texts next to each other."""

    role: str
    pieces: tuple[TextPiece | ImagePiece, ...]

    @property
    def texts(self) -> list[str]:
        """Its texts, in order."""
        return [piece.text for piece in self.pieces if isinstance(piece, TextPiece)]


def gather_turns(layout: Layout) -> list[Turn]:
    """Gather items into turns; neighbours of one role are one turn, and their texts are joined by a line break.

    An image belongs to the turn of the text that follows it; before an assistant's text, and at the end, it is the
    user's.
    """
    turns: list[Turn] = []
    for place, piece in enumerate(layout):
        role = _role(piece) if isinstance(piece, TextPiece) else _follower(layout, place)
        before = turns.pop().pieces if turns and turns[-1].role == role else ()
        turns.append(Turn(role, _joined(before, piece, separator="\n")))
    return turns


def fold_system(turns: Sequence[Turn]) -> list[Turn]:
    """Put what the system says at the beginning of the first turn of the user, an empty line between."""
    if len(turns) < 2 or turns[0].role != Role.SYSTEM or turns[1].role != Role.USER:  # noqa: PLR2004 - system, user
        return list(turns)
    pieces = turns[0].pieces
    for piece in turns[1].pieces:
        pieces = _joined(pieces, piece, separator=SYSTEM_SEPARATOR)
    return [Turn(Role.USER, pieces), *turns[2:]]


def write_messages(turns: Sequence[Turn], *, form: ContentForm, image_text: str) -> list[Message]:
    """Return turns as messages; in a string an image is ``image_text``: a mark and a line break in LLaVA's prompts."""
    return [{"role": turn.role, "content": _content(turn, form, image_text)} for turn in turns]


def _content(turn: Turn, form: ContentForm, image_text: str) -> object:
    if form == "parts":
        return [
            {"type": "text", "text": piece.text} if isinstance(piece, TextPiece) else {"type": "image"}
            for piece in turn.pieces
        ]
    content = ""
    for piece in turn.pieces:
        joint = "" if not content or content.endswith(("\n", image_text)) else "\n"
        content += joint + (piece.text if isinstance(piece, TextPiece) else image_text)
    return content


def _joined(
    pieces: tuple[TextPiece | ImagePiece, ...], piece: TextPiece | ImagePiece, *, separator: str
) -> tuple[TextPiece | ImagePiece, ...]:
    last = pieces[-1] if pieces else None
    if not isinstance(last, TextPiece) or not isinstance(piece, TextPiece):
        return (*pieces, piece)
    joint = "" if last.text.endswith("\n") else separator
    return (*pieces[:-1], TextPiece(last.text + joint + piece.text, piece.role))


def _role(piece: TextPiece) -> str:
    return piece.role if piece.role is not None else Role.USER


def _follower(layout: Layout, place: int) -> str:
    role = next((_role(piece) for piece in layout[place:] if isinstance(piece, TextPiece)), Role.USER)
    return Role.USER if role == Role.ASSISTANT else role
