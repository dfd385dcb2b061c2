from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from curate.contract.errors import CurateError
from tests.train_bridge.checkpoints.folders import named, published_projector, write_nvila, write_vila, write_vila_v1
from tests.train_bridge.conftest import stage_config
from train_bridge.checkpoints.projector_file import has_projector, named_as_layers, read_projector
from train_bridge.checkpoints.tensors import Tensors
from train_bridge.model.llava import build_model
from train_bridge.model.processor import build_processor

PREFIXES = [
    "base_model.model.model.mm_projector",
    "model.mm_projector",
    "mm_projector",
    "layers",
    "multi_modal_projector.layers",
    "",
]


@pytest.mark.parametrize("kind", ["linear", "mlp2x_gelu", "mlp_downsample"])
@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_file_is_read_whatever_its_names_begin_with(tmp_path: Path, kind: str, prefix: str) -> None:
    layers = published_projector(kind)
    torch.save(named(layers, prefix), tmp_path / "mm_projector.bin")
    expected = named(layers, "")
    for place in (tmp_path, tmp_path / "mm_projector.bin"):
        same(read_projector(str(place), kind=kind), expected)


def same(found: Tensors, expected: Tensors) -> None:
    assert found.keys() == expected.keys()
    assert all(torch.equal(value, expected[name]) for name, value in found.items())


def test_a_whole_model_of_any_layout_gives_its_projector(tmp_path: Path) -> None:
    for write, kind in ((write_vila, "mlp_downsample"), (write_vila_v1, "linear"), (write_nvila, "mlp_downsample")):
        layers = write(tmp_path / write.__name__)
        same(read_projector(str(tmp_path / write.__name__), kind=kind), named(layers, ""))


@pytest.mark.parametrize("projector", ["linear", "mlp", "mlp_downsample"])
def test_our_own_folders_give_theirs(shard_folder: str, parts: dict[str, str], tmp_path: Path, projector: str) -> None:
    towers = {"tiny": None, "vision": parts["siglip"], "llm": parts["llm"], "projector": projector}
    config = stage_config(shard_folder, tmp_path, model=towers)
    processor = build_processor(config)
    one = build_model(config, processor=processor)
    one.save_pretrained(tmp_path / "one")
    changed = stage_config(
        shard_folder, tmp_path, model=towers | {"projector_from": str(tmp_path / "one")}, run={"seed": 9}
    )
    other = build_model(changed, processor=processor)
    expected = one.model.multi_modal_projector.state_dict()
    same(other.model.multi_modal_projector.state_dict(), expected)


def test_a_projector_of_another_shape_is_refused(shard_folder: str, parts: dict[str, str], tmp_path: Path) -> None:
    torch.save(named(published_projector("mlp2x_gelu", channels=7), ""), tmp_path / "mm_projector.bin")
    towers = {"tiny": None, "vision": parts["clip"], "llm": parts["llm"], "projector_from": str(tmp_path)}
    config = stage_config(shard_folder, tmp_path / "out", model=towers)
    processor = build_processor(config)
    with pytest.raises(CurateError, match=r"projector mlp2x_gelu: linear_1\.weight has the shape \(32, 7\)"):
        build_model(config, processor=processor)


def test_what_holds_none_is_named(parts: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(CurateError, match="holds no projector"):
        read_projector(parts["llm"], kind="linear")
    assert not has_projector(parts["llm"])
    assert not has_projector("someone/on-a-hub")
    write_vila(tmp_path / "vila")
    assert has_projector(str(tmp_path / "vila"))
    save_file({"multi_modal_projector.linear_1.weight": torch.zeros(1)}, tmp_path / "model.safetensors")
    assert has_projector(str(tmp_path))


def test_a_second_matrix_that_does_something_is_not_left_out() -> None:
    own = {
        "linear_1.weight": torch.ones(4, 3),
        "linear_1.bias": torch.ones(4),
        "linear_2.weight": torch.eye(4),
        "linear_2.bias": torch.zeros(4),
    }
    assert named_as_layers(own, kind="linear").keys() == {"weight", "bias"}
    for changed in ({"linear_2.weight": 2 * torch.eye(4)}, {"linear_2.bias": torch.ones(4)}):
        with pytest.raises(CurateError, match="a second one that is not the identity"):
            named_as_layers(own | changed, kind="linear")
