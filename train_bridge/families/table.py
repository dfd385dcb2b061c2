"""The tables of families in Markdown, and their place in a document."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from curate.contract.errors import CurateError
from train_bridge.families.language import LANGUAGES
from train_bridge.families.measure import Found, measure_language, measure_vision
from train_bridge.families.vision import towers
from train_bridge.training.ranks import Ranks

BEGIN, END = "<!-- families: begin, written by `python -m train_bridge.families` -->", "<!-- families: end -->"
LANGUAGE_HEAD = (
    "| language model | sets it apart | assembles | logits equal | packed loss equal | exports | names fit vLLM |"
)
VISION_HEAD = (
    "| vision tower | sets it apart | assembles | gradients where used | packed loss equal | exports | fits vLLM |"
)
RULE = "|---|---|---|---|---|---|---|"


def tables(ranks: Ranks) -> str:
    """Measure all families and return both tables, and why what is refused is refused.

    Args:
        ranks: Of one process.
    """
    rows = [*_language_rows(ranks), *_vision_rows(ranks)]
    lines = [LANGUAGE_HEAD, RULE]
    lines += [_line(name, mark, found, found.logits) for name, mark, found in rows[: len(LANGUAGES)]]
    lines += ["", VISION_HEAD, RULE]
    lines += [_line(name, mark, found, found.gradients) for name, mark, found in rows[len(LANGUAGES) :]]
    reasons = [f"- {name}: {found.refused}" for name, _, found in rows if found.refused]
    return "\n".join([*lines, "", "Refused:", "", *reasons])


def replace_tables(text: str, new: str) -> str:
    """Return a document with other tables between its marks.

    Raises:
        CurateError: The marks are not there.
    """
    before, begins, rest = text.partition(BEGIN)
    _, ends, after = rest.partition(END)
    if not begins or not ends:
        raise CurateError(f"the document has no place for the tables, between {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{new}\n\n{END}{after}"


def _language_rows(ranks: Ranks) -> Iterator[tuple[str, str, Found]]:
    for row in LANGUAGES:
        with tempfile.TemporaryDirectory() as folder:
            yield row.name, row.mark, measure_language(row, tower=towers()[0], folder=Path(folder), ranks=ranks)


def _vision_rows(ranks: Ranks) -> Iterator[tuple[str, str, Found]]:
    for row in towers():
        with tempfile.TemporaryDirectory() as folder:
            yield row.name, row.mark, measure_vision(row, language=LANGUAGES[0], folder=Path(folder), ranks=ranks)


def _line(name: str, mark: str, found: Found, special: str) -> str:
    cells = (name, mark, found.assembles, special, found.packed, found.exports, found.serves)
    return f"| {' | '.join(cells)} |"
