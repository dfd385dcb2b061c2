from pathlib import Path

import pytest

from curate.contract.errors import CurateError
from train_bridge.model import names
from train_bridge.model.names import check_model_name


def test_a_folder_of_a_model_is_one(parts: dict[str, str]) -> None:
    check_model_name(parts["llm"], where="model.llm")


@pytest.mark.parametrize("name", ["/nowhere/model", "./llm", "~/llm", "runs/stage1/final"])
def test_what_can_only_be_a_folder_is_not_looked_for_on_the_hub(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(names, "cached_file")
    with pytest.raises(CurateError, match=f"model.llm: {name}: no such folder"):
        check_model_name(name, where="model.llm")


def test_what_neither_is_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def find(_name: str, _file: str) -> str:
        raise OSError("not a valid\nmodel identifier")

    monkeypatch.setattr(names, "cached_file", find)
    with pytest.raises(CurateError, match=r"no such model on the hub \(not a valid model identifier"):
        check_model_name("meta-lama/Llama", where="model.llm")


def test_a_folder_above_a_model_is_none(tmp_path: Path) -> None:
    with pytest.raises(CurateError, match="no config"):
        check_model_name(str(tmp_path), where="init_from")
