import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from curate.contract.errors import CurateError
from train_bridge.checkpoints.tensors import has_tensors, read_tensors, tensor_names, write_tensors

TENSORS = {"llm.a": torch.ones(2), "llm.b": torch.zeros(3), "head.c": torch.arange(4.0)}


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin", "mm_projector.bin"])
def test_tensors_are_read_from_either_kind_of_file(tmp_path: Path, name: str) -> None:
    if name.endswith(".bin"):
        torch.save(TENSORS, tmp_path / name)
    else:
        save_file(TENSORS, tmp_path / name)
    assert has_tensors(tmp_path)
    assert tensor_names(str(tmp_path)) == sorted(TENSORS)
    assert sorted(read_tensors(str(tmp_path), prefix="llm.")) == ["a", "b"]
    assert sorted(read_tensors(str(tmp_path), without=("llm.",))) == ["head.c"]
    assert torch.equal(read_tensors(str(tmp_path / name))["head.c"], TENSORS["head.c"])


def test_tensors_of_several_files_are_one_model(tmp_path: Path) -> None:
    save_file({"a": torch.ones(1)}, tmp_path / "model-1.safetensors")
    save_file({"b": torch.ones(1)}, tmp_path / "model-2.safetensors")
    where = {"a": "model-1.safetensors", "b": "model-2.safetensors"}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": where}))
    assert sorted(read_tensors(str(tmp_path))) == ["a", "b"]
    (tmp_path / "model-2.safetensors").unlink()
    with pytest.raises(CurateError, match=r"not there: model-2\.safetensors"):
        read_tensors(str(tmp_path))


def test_an_index_never_leads_out_of_its_folder(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    save_file({"a": torch.ones(1)}, tmp_path / "secret.safetensors")
    (tmp_path / "in" / "model.safetensors.index.json").write_text('{"weight_map": {"a": "../secret.safetensors"}}')
    with pytest.raises(CurateError, match="not there"):
        read_tensors(str(tmp_path / "in"))


class Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return print, ("run",)


def test_a_file_of_more_than_tensors_is_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"a": Evil()}, tmp_path / "pytorch_model.bin")
    with pytest.raises(CurateError, match="holds more than tensors, which is not run"):
        read_tensors(str(tmp_path))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_a_damaged_file_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"nothing")
    with pytest.raises(CurateError, match=rf"{name}.*(cannot be read|holds more)"):
        read_tensors(str(tmp_path))


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CurateError, match="no weights; looked for"):
        read_tensors(str(tmp_path))
    save_file(TENSORS, tmp_path / "model.safetensors")
    with pytest.raises(CurateError, match=r"no tensor is called x\.\*; the first is head\.c"):
        read_tensors(str(tmp_path), prefix="x.")
    torch.save([1], tmp_path / "pytorch_model.bin")
    with pytest.raises(CurateError, match="something else than tensors"):
        read_tensors(str(tmp_path / "pytorch_model.bin"))


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    write_tensors(tmp_path / "new", {"x": torch.arange(6.0).view(2, 3).T})
    assert torch.equal(read_tensors(str(tmp_path / "new"))["x"], torch.arange(6.0).view(2, 3).T)
