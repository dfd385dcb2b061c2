import pytest

from curate.contract.errors import CurateError
from train_bridge.families.table import BEGIN, END, replace_tables


def test_tables_are_replaced_between_their_marks() -> None:
    text = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert replace_tables(text, "new") == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"


def test_a_document_without_marks_is_left_alone() -> None:
    with pytest.raises(CurateError, match="no place for the tables"):
        replace_tables("nothing", "new")
