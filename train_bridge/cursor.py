"""Where a plan stands: all that a checkpoint keeps of the data, as a few integers."""

import json
from dataclasses import asdict, dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Carried:
    """A sample that waits for a fuller pack."""

    position: int
    """Its place in the order of samples."""
    part: int
    """Which part of a split document it is."""
    first_window: int
    """The window that saw it first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cursor:
    """The plan before one of its windows, and the next pack to hand out, which may lie inside that window."""

    window: int = 0
    position: int = 0
    """The next place in the order of samples; it runs on over epochs."""
    first_pack: int = 0
    """Number of the window's first pack."""
    next_pack: int = 0
    """Number of the next pack to hand out; packs before it are recomputed and passed over."""
    carried: tuple[Carried, ...] = ()

    def to_json(self) -> str:
        """Return the cursor as one line."""
        carried = [[c.position, c.part, c.first_window] for c in self.carried]
        return json.dumps(asdict(self) | {"carried": carried}, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what ``to_json`` wrote.

        Raises:
            ValueError: It is nothing of the kind.
        """
        content = json.loads(text)
        try:
            carried = tuple(Carried(*(int(number) for number in entry)) for entry in content.pop("carried"))
            return cls(carried=carried, **{name: int(value) for name, value in content.items()})
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"not a plan cursor: {text[:80]}") from error
