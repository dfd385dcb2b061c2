import json
from pathlib import Path
from typing import Any

import pytest

from curate.contract.errors import CurateError
from tests.train_bridge.checkpoints.folders import write_nvila, write_vila, write_vila_v1
from train_bridge.checkpoints.foreign import read_foreign, version_of
from train_bridge.checkpoints.layouts import Layout


def test_vila_1_5_says_how_it_is_used(tmp_path: Path) -> None:
    write_vila(tmp_path / "vila")
    found = read_foreign(str(tmp_path / "vila"), Layout.VILA)
    assert (found.projector, found.patch_order, found.select, found.select_layer) == (
        "mlp_downsample",
        "columns",
        "full",
        -2,
    )
    assert (found.image_mode, found.s2_scales, found.image_newline) == ("resize", None, False)
    assert found.chat_template is not None
    assert len(found.read_projector()) == 6


def test_nvila_joins_scales_and_puts_a_line_break_behind_images(tmp_path: Path) -> None:
    changes: dict[str, Any] = {
        "dynamic_s2": True,
        "image_aspect_ratio": "dynamic_s2",
        "s2_scales": "28,56,84",
        "transformers_version": "4.46.0",
    }
    write_vila(tmp_path / "nvila", text="qwen2", scales=3, **changes)
    found = read_foreign(str(tmp_path / "nvila"), Layout.VILA)
    assert (found.image_mode, found.s2_scales, found.patch_order) == ("s2", (28, 56, 84), "rows")
    assert found.image_newline
    assert found.chat_template is None


def test_the_flat_form_is_of_whole_nvila_or_of_lite(tmp_path: Path) -> None:
    for lite, projector, scales in ((True, "mlp_downsample_3x3_fix", None), (False, "mlp_downsample", (28, 56, 84))):
        write_nvila(tmp_path / str(lite), lite=lite)
        found = read_foreign(str(tmp_path / str(lite)), Layout.NVILA)
        assert (found.projector, found.s2_scales) == (projector, scales)


def test_v1_takes_its_tower_from_where_it_says_unless_it_holds_one(tmp_path: Path) -> None:
    write_vila_v1(tmp_path / "plain")
    write_vila_v1(tmp_path / "trained", trained_tower=True)
    plain = read_foreign(str(tmp_path / "plain"), Layout.VILA_V1)
    assert (plain.read_vision, plain.tower) == (None, str(tmp_path / "plain" / "tower"))
    trained = read_foreign(str(tmp_path / "trained"), Layout.VILA_V1)
    assert trained.read_vision is not None
    assert "vision_model.embeddings.class_embedding" in trained.read_vision()
    assert read_foreign(str(tmp_path / "trained"), Layout.VILA_V1, tower="elsewhere").read_vision is None
    assert not any("mm_projector" in name or "vision" in name for name in trained.read_text())
    assert plain.text_config["model_type"] == "llama"
    assert "mm_hidden_size" not in plain.text_config


def test_the_earliest_llava_has_a_linear_projector_without_saying_so(tmp_path: Path) -> None:
    write_vila_v1(tmp_path / "v0")
    path = tmp_path / "v0" / "config.json"
    config = json.loads(path.read_text())
    del config["mm_projector_type"]
    path.write_text(json.dumps(config))
    assert read_foreign(str(tmp_path / "v0"), Layout.VILA_V1).projector == "linear"


@pytest.mark.parametrize(("text", "version"), [("4.36.2", (4, 36)), ("5.0.0.dev0", (5, 0)), (None, ()), ("x", ())])
def test_versions(text: str | None, version: tuple[int, ...]) -> None:
    assert version_of({"transformers_version": text} if text else {}) == version


def test_ps3_is_refused(tmp_path: Path) -> None:
    write_vila(tmp_path / "vila", ps3=True)
    with pytest.raises(CurateError, match="PS3 tower"):
        read_foreign(str(tmp_path / "vila"), Layout.VILA)
