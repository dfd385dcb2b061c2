from pathlib import Path

import pytest

from curate.contract.errors import CurateError
from train_bridge.checkpoints.targets import VLLM_TEXTS
from train_bridge.families.language import LANGUAGES
from train_bridge.families.table import BEGIN, END, replace_tables

ROOT = Path(__file__).parents[3]


def test_tables_are_replaced_between_their_marks() -> None:
    text = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert replace_tables(text, "new") == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"


def test_a_document_without_marks_is_left_alone() -> None:
    with pytest.raises(CurateError, match="no place for the tables"):
        replace_tables("nothing", "new")


def test_the_target_vllm_takes_those_that_the_table_says_fit() -> None:
    rows = [line.split(" | ") for line in (ROOT / "docs" / "training.md").read_text().splitlines() if line[:2] == "| "]
    fits = {row[0].removeprefix("| "): row[-1].removesuffix(" |") == "yes" for row in rows}
    for language in LANGUAGES:
        kind = language.config(vocab_size=300).model_type
        assert (kind in VLLM_TEXTS) is fits[language.name], language.name
