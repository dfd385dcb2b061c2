"""Documents that a run goes without."""

import json
from pathlib import Path

from curate.contract.errors import RecipeError


def read_excluded(path: str | None) -> frozenset[str]:
    """Return the documents (doc_id) that a file names: one a line, or lines of ``metrics.jsonl`` on bad steps.

    Raises:
        RecipeError: It cannot be read, or a line is neither.
    """
    if path is None:
        return frozenset()
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError((f"data.exclude: {path} cannot be read ({error})",)) from error
    found: set[str] = set()
    for number, line in enumerate(map(str.strip, lines), start=1):
        if line.startswith("{"):
            found |= _of_metrics(line, where=f"data.exclude: {path}, line {number}")
        elif line and not line.startswith("#"):
            found.add(line)
    return frozenset(found)


def _of_metrics(line: str, *, where: str) -> set[str]:
    try:
        packs = json.loads(line).get("not_finite", [])
        return {doc_id for pack in packs for doc_id in pack["doc_ids"]}
    except (ValueError, AttributeError, TypeError, KeyError) as error:
        raise RecipeError((f"{where}: neither a doc_id nor a line of metrics.jsonl",)) from error
