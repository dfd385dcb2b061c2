"""Tables of the dataset card."""

import html
from collections.abc import Sequence


def render_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table; numbers have separators, and no text of a cell is read as markup."""
    lines = [list(columns), ["---"] * len(columns), *[[_render_cell(cell) for cell in row] for row in rows]]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _render_cell(cell: object) -> str:
    if isinstance(cell, int):
        return f"{cell:,}"
    return html.escape(str(cell), quote=False).replace("|", "\\|").replace("\n", " ")
