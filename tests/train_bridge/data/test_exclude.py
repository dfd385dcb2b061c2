from pathlib import Path

import pytest

from curate.contract.errors import RecipeError
from train_bridge.data.exclude import read_excluded


@pytest.mark.parametrize(
    ("content", "fault"),
    [(None, "cannot be read"), ('{"a": }\n', "line 1: neither"), ('a\n{"not_finite": 3}\n', "line 2")],
)
def test_a_list_that_is_none_is_a_fault_of_the_stage(tmp_path: Path, content: str | None, fault: str) -> None:
    if content is not None:
        (tmp_path / "list.txt").write_text(content)
    with pytest.raises(RecipeError, match=fault):
        read_excluded(str(tmp_path / "list.txt"))
    assert read_excluded(None) == frozenset()
