from pathlib import Path

import pytest

from curate.contract.errors import CurateError
from train_bridge.families.table import BEGIN, END, replace_tables, tables
from train_bridge.training.ranks import joined_ranks

DOCUMENT = Path(__file__).parents[3] / "docs/training.md"


@pytest.mark.slow
def test_the_document_says_what_is_measured() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    with joined_ranks() as ranks:
        measured = tables(ranks)
    assert replace_tables(text, measured) == text, "renew it: python -m train_bridge.families --write docs/training.md"


def test_tables_are_replaced_between_their_marks() -> None:
    text = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert replace_tables(text, "new") == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"


def test_a_document_without_marks_is_left_alone() -> None:
    with pytest.raises(CurateError, match="no place for the tables"):
        replace_tables("nothing", "new")
