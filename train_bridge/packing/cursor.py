"""Where a plan stands: all that a checkpoint keeps of the data, as a few integers and the samples that wait."""

import base64
import binascii
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

AHEAD_UNITS = 1000
"""Of a pack."""
MAX_AGE = 63
"""Windows that a sample can wait, as the encoding has it."""


@dataclass(frozen=True, slots=True)
class Carried:
    """A sample that waits for a fuller pack."""

    entry: int
    """Which entry of the blend it is of."""
    place: int
    """Its place in the entry's order of samples, which runs on over epochs."""
    chunk: int
    """Which chunk of a split document it is."""
    first_window: int
    """The window that saw it first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cursor:
    """The plan before one of its windows, and the next pack to hand out, which may lie inside that window."""

    window: int = 0
    places: tuple[int, ...] = ()
    """Samples drawn of each entry; empty at the start."""
    amounts: tuple[int, ...] = ()
    """What they amount to, in the unit of the blend."""
    first_pack: int = 0
    """Number of the window's first pack."""
    next_pack: int = 0
    """Packs that have been handed out; they are planned again and passed over."""
    ahead: tuple[int, ...] = ()
    """How far each group is ahead of its due share of tokens, in thousandths of a pack; empty at the start."""
    carried: tuple[Carried, ...] = ()
    """The oldest first."""

    def to_json(self) -> str:
        """Return the cursor as one line, under 4 KB for 512 samples that wait."""
        content = {
            "window": self.window,
            "places": self.places,
            "amounts": self.amounts,
            "first_pack": self.first_pack,
            "next_pack": self.next_pack,
            "ahead": self.ahead,
            "carried": base64.b64encode(bytes(self._carried_bytes())).decode(),
        }
        return json.dumps(content, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what ``to_json`` wrote.

        Raises:
            ValueError: It is nothing of the kind.
        """
        try:
            content = json.loads(text)
            window, places = int(content["window"]), tuple(int(place) for place in content["places"])
            numbers = list(_read_numbers(base64.b64decode(content["carried"], validate=True)))
            rows = zip(numbers[0::3], numbers[1::3], numbers[2::3], strict=True)
            return cls(
                window=window,
                places=places,
                amounts=tuple(int(amount) for amount in content["amounts"]),
                first_pack=int(content["first_pack"]),
                next_pack=int(content["next_pack"]),
                ahead=tuple(int(packs) for packs in content["ahead"]),
                carried=tuple(
                    Carried(entry, places[entry] - back, *_part_and_window(rest, window)) for entry, back, rest in rows
                ),
            )
        except (KeyError, IndexError, TypeError, ValueError, binascii.Error) as error:
            raise ValueError(f"not a plan cursor: {text[:80]}") from error

    def _carried_bytes(self) -> Iterator[int]:
        """Write each sample as three small numbers: its entry, how far back it is, its chunk and age."""
        for sample in self.carried:
            age = self.window - sample.first_window
            for number in (sample.entry, self.places[sample.entry] - sample.place, sample.chunk * (MAX_AGE + 1) + age):
                yield from _varint(number)


def _part_and_window(rest: int, window: int) -> tuple[int, int]:
    chunk, age = divmod(rest, MAX_AGE + 1)
    return chunk, window - age


def _varint(number: int) -> Iterator[int]:
    """Write seven bits per byte, the lowest first; the top bit says that more follow (LEB128)."""
    while number > 0x7F:  # noqa: PLR2004 - seven bits
        yield number & 0x7F | 0x80
        number >>= 7
    yield number


def _read_numbers(data: bytes) -> Iterator[int]:
    number = shift = 0
    for byte in data:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:  # noqa: PLR2004 - the top bit
            yield number
            number = shift = 0
    if shift:
        raise ValueError("a number is cut off")
