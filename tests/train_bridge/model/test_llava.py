import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    CLIPVisionModel,
    LlamaForCausalLM,
    LlavaForConditionalGeneration,
    LlavaProcessor,
)

from curate.contract.errors import CurateError, RecipeError
from tests.train_bridge.checkpoints.folders import write_vila
from tests.train_bridge.conftest import stage_config
from train_bridge.config import StageConfig
from train_bridge.model.classes import model_class
from train_bridge.model.llava import (
    build_model,
    enable_checkpointing,
    is_linear,
    projector_of,
    set_trainable,
)
from train_bridge.model.parts import module_of
from train_bridge.model.processor import build_processor
from train_bridge.model_config import Module


def tiny(shard_folder: str, output: Path, **model: Any) -> StageConfig:
    return stage_config(shard_folder, output, model=model)


def test_the_same_seed_gives_the_same_weights(shard_folder: str, processor: LlavaProcessor, tmp_path: Path) -> None:
    config = tiny(shard_folder, tmp_path)
    one, same = (build_model(config, processor=processor).state_dict() for _ in range(2))
    other = build_model(stage_config(shard_folder, tmp_path, run={"seed": 1}), processor=processor)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["lm_head.weight"], other.state_dict()["lm_head.weight"])


def test_a_linear_projector_is_linear(shard_folder: str, processor: LlavaProcessor, tmp_path: Path) -> None:
    model = build_model(tiny(shard_folder, tmp_path, projector="linear"), processor=processor)
    projector = model.model.multi_modal_projector
    one, other = torch.randn(2, 5, 32)
    apart = projector(one) + projector(other) - projector(torch.zeros_like(one))
    assert torch.allclose(projector(one + other), apart, atol=1e-5)
    assert torch.allclose(projector(one), projector.linear_1(one))


def test_mlp_is_not(shard_folder: str, processor: LlavaProcessor, tmp_path: Path) -> None:
    assert not is_linear(build_model(tiny(shard_folder, tmp_path, projector="mlp"), processor=processor))


@pytest.mark.parametrize(
    ("modules", "projector"),
    [
        ({Module.PROJECTOR}, "linear"),
        ({Module.PROJECTOR, Module.LLM}, "mlp"),
        ({Module.VISION}, "mlp"),
        (set(), "mlp"),
    ],
)
def test_only_chosen_modules_learn(
    shard_folder: str, processor: LlavaProcessor, tmp_path: Path, modules: set[Module], projector: str
) -> None:
    model = build_model(tiny(shard_folder, tmp_path, projector=projector), processor=processor)
    names = set_trainable(model, modules)
    assert {module_of(name) for name in names} == modules
    assert names == [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    if projector == "linear":
        assert not any("linear_2" in name for name in names)
    # Hidden state -2 of two layers is the first one's output: the second layer has no part in it.
    assert not any("vision_tower.encoder.layers.1." in name or "post_layernorm" in name for name in names)


@pytest.mark.parametrize(("layer", "num_learning"), [(-1, 2), (-2, 1), (1, 1), (2, 2), (-3, 0)])
def test_layers_behind_the_feature_stay_frozen(
    shard_folder: str, processor: LlavaProcessor, tmp_path: Path, layer: int, num_learning: int
) -> None:
    model = build_model(tiny(shard_folder, tmp_path, vision_feature_layer=layer), processor=processor)
    names = set_trainable(model, {Module.VISION})
    assert len({name.split("layers.")[1][0] for name in names if "layers." in name}) == num_learning


def test_a_feature_that_the_tower_has_not_is_a_mistake(
    shard_folder: str, processor: LlavaProcessor, tmp_path: Path
) -> None:
    with pytest.raises(RecipeError, match=r"vision_feature_layer: 3: the tower has 2 layers"):
        build_model(tiny(shard_folder, tmp_path, vision_feature_layer=3), processor=processor)


@pytest.mark.parametrize("vision", ["clip", "siglip"])
def test_parts_keep_their_weights(shard_folder: str, parts: dict[str, str], tmp_path: Path, vision: str) -> None:
    config = tiny(shard_folder, tmp_path, tiny=None, vision=parts[vision], llm=parts["llm"])
    processor = build_processor(config)
    model = build_model(config, processor=processor)
    llm = LlamaForCausalLM.from_pretrained(parts["llm"])
    assert torch.equal(model.lm_head.weight[:320], llm.lm_head.weight)
    assert torch.equal(model.model.language_model.norm.weight, llm.model.norm.weight)
    if vision == "clip":
        tower = CLIPVisionModel.from_pretrained(parts["clip"])
        assert torch.equal(
            model.model.vision_tower.encoder.layers[0].mlp.fc1.weight, tower.encoder.layers[0].mlp.fc1.weight
        )
    assert all(parameter.device.type == "cpu" for parameter in model.parameters())


def test_parts_make_a_model_that_answers(shard_folder: str, parts: dict[str, str], tmp_path: Path) -> None:
    config = tiny(shard_folder, tmp_path, tiny=None, vision=parts["siglip"], llm=parts["llm"])
    processor = build_processor(config)
    model = build_model(config, processor=processor)
    ids = torch.tensor([[0] + [processor.image_token_id] * 4 + [50, 60]])
    assert model(input_ids=ids, pixel_values=torch.zeros(1, 3, 16, 16)).logits.shape[:2] == (1, 7)


def test_a_folder_loads_as_it_was_saved(shard_folder: str, processor: LlavaProcessor, tmp_path: Path) -> None:
    model = build_model(tiny(shard_folder, tmp_path, projector="linear"), processor=processor)
    model.save_pretrained(tmp_path / "saved")
    config = stage_config(shard_folder, tmp_path, model={"tiny": None}, init_from=str(tmp_path / "saved"))
    loaded = build_model(config, processor=processor)
    assert isinstance(loaded, LlavaForConditionalGeneration)
    assert is_linear(loaded)
    weights = model.state_dict()
    assert all(torch.equal(weight, weights[name]) for name, weight in loaded.state_dict().items())


def test_missing_weights_are_refused(shard_folder: str, parts: dict[str, str], tmp_path: Path) -> None:
    half = LlamaForCausalLM.from_pretrained(parts["llm"])
    weights = {name: weight for name, weight in half.state_dict().items() if "layers.1" not in name}
    half.save_pretrained(tmp_path / "half", state_dict=weights)
    config = tiny(shard_folder, tmp_path, tiny=None, vision=parts["clip"], llm=parts["llm"])
    broken = config.model_copy(update={"model": config.model.model_copy(update={"llm": str(tmp_path / "half")})})
    with pytest.raises(CurateError, match="weights are missing"):
        build_model(broken, processor=build_processor(config))


def test_a_processor_of_another_size_is_refused(shard_folder: str, processor: LlavaProcessor, tmp_path: Path) -> None:
    model = build_model(tiny(shard_folder, tmp_path), processor=processor)
    model.config.image_seq_length = 9
    model.save_pretrained(tmp_path / "saved")
    config = stage_config(shard_folder, tmp_path, model={"tiny": None}, init_from=str(tmp_path / "saved"))
    with pytest.raises(CurateError, match="takes 9 tokens per image, the processor writes 4"):
        build_model(config, processor=processor)


def test_checkpointing_leaves_a_frozen_tower_without_gradients(
    shard_folder: str, processor: LlavaProcessor, tmp_path: Path
) -> None:
    model = build_model(tiny(shard_folder, tmp_path), processor=processor)
    set_trainable(model, {Module.PROJECTOR})
    enable_checkpointing(model)
    model.train()
    features = model.model.vision_tower(torch.zeros(1, 3, 16, 16)).last_hidden_state
    assert not features.requires_grad
    ids = torch.tensor([[processor.image_token_id] * 4 + [50]])
    model(input_ids=ids, pixel_values=torch.zeros(1, 3, 16, 16), use_cache=False).logits.sum().backward()
    assert model.model.multi_modal_projector.linear_1.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("projector", ["linear", "mlp", "mlp_downsample"])
def test_a_projector_is_found_again_in_its_folder(shard_folder: str, tmp_path: Path, projector: str) -> None:
    config = tiny(shard_folder, tmp_path, projector=projector)
    processor = build_processor(config)
    model = build_model(config, processor=processor)
    assert projector_of(model.config) == projector
    model.save_pretrained(tmp_path / "saved")
    changes = {"model": {"tiny": None, "projector": projector}, "init_from": str(tmp_path / "saved")}
    assert projector_of(build_model(stage_config(shard_folder, tmp_path, **changes), processor=processor).config) == (
        projector
    )
    other = "mlp" if projector == "linear" else "linear"
    changes["model"] = {"tiny": None, "projector": other}
    with pytest.raises(CurateError, match=f"has the projector {projector}; model.projector says {other}"):
        build_model(stage_config(shard_folder, tmp_path, **changes), processor=processor)


def test_a_projector_that_downsamples_learns_as_a_whole(shard_folder: str, tmp_path: Path) -> None:
    config = tiny(shard_folder, tmp_path, projector="mlp_downsample")
    model = build_model(config, processor=build_processor(config))
    assert model.config.image_seq_length == 1  # 2 x 2 patches
    names = set_trainable(model, {Module.PROJECTOR})
    assert len(names) == 6
    assert all("multi_modal_projector" in name for name in names)


@pytest.mark.parametrize("vision", ["clip", "siglip"])
def test_parts_can_be_joined_by_downsampling(
    shard_folder: str, parts: dict[str, str], tmp_path: Path, vision: str
) -> None:
    config = tiny(shard_folder, tmp_path, tiny=None, vision=parts[vision], llm=parts["llm"], projector="mlp_downsample")
    processor = build_processor(config)
    model = build_model(config, processor=processor)
    ids = torch.tensor([[0, processor.image_token_id, 50, 60]])
    assert model(input_ids=ids, pixel_values=torch.zeros(1, 3, 16, 16)).logits.isfinite().all()
    assert all(parameter.isfinite().all() for parameter in model.parameters())


def test_single_layers_are_frozen_and_unfrozen_by_name(
    shard_folder: str, processor: LlavaProcessor, tmp_path: Path
) -> None:
    model = build_model(tiny(shard_folder, tmp_path), processor=processor)
    names = set_trainable(
        model,
        {Module.LLM},
        unfreeze=["*vision_tower.encoder.layers.0.mlp*"],
        freeze=["*.embed_tokens.*", "*language_model.layers.1.*"],
    )
    assert {module_of(name) for name in names} == {Module.LLM, Module.VISION}
    assert any("language_model.layers.0." in name for name in names)
    assert not any("language_model.layers.1." in name or "embed_tokens" in name for name in names)
    assert all(".mlp." in name for name in names if module_of(name) == Module.VISION)


def test_a_pattern_without_a_match_is_a_mistake(shard_folder: str, processor: LlavaProcessor, tmp_path: Path) -> None:
    model = build_model(tiny(shard_folder, tmp_path), processor=processor)
    with pytest.raises(RecipeError, match=r"\*\.embed_token matches no parameter"):
        set_trainable(model, {Module.LLM}, freeze=["*.embed_token"])


def test_other_kinds_of_models_are_refused() -> None:
    with pytest.raises(CurateError, match="type llama cannot be trained here"):
        model_class("llama")


def test_scales_need_a_projector_that_knows_them(shard_folder: str, parts: dict[str, str], tmp_path: Path) -> None:
    towers = {"tiny": None, "vision": parts["siglip"], "llm": parts["llm"]}
    images = {"mode": "s2", "s2_scales": [16, 32]}
    config = stage_config(shard_folder, tmp_path, model=towers | {"projector": "mlp_downsample"}, image=images)
    processor = build_processor(config)
    model = build_model(config, processor=processor)
    assert model.config.s2_scales == [16, 32]
    model.save_pretrained(tmp_path / "saved")
    processor.save_pretrained(tmp_path / "saved")
    plain = stage_config(shard_folder, tmp_path, model=towers, image=images)
    with pytest.raises(RecipeError, match=r"image\.mode: s2 needs a projector that joins patches"):
        build_model(plain, processor=build_processor(plain))
    other = stage_config(
        shard_folder, tmp_path, model={"tiny": None}, image={"mode": "resize"}, init_from=str(tmp_path / "saved")
    )
    with pytest.raises(CurateError, match=r"joins \[16, 32\] scales of an image .*, and image\.mode gives None"):
        build_model(other, processor=build_processor(other))


def test_quantised_weights_are_refused_by_name(shard_folder: str, parts: dict[str, str], tmp_path: Path) -> None:
    shutil.copytree(parts["llm"], tmp_path / "llm")
    path = tmp_path / "llm" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"quantization_config": {"quant_method": "gptq"}}))
    towers = {"tiny": None, "vision": parts["clip"], "llm": str(tmp_path / "llm")}
    config = stage_config(shard_folder, tmp_path, model=towers)
    with pytest.raises(CurateError, match="its weights are quantised"):
        build_model(config, processor=build_processor(config))


def test_older_folders_do_not_say_how_many_tokens_an_image_is(
    shard_folder: str, processor: LlavaProcessor, tmp_path: Path
) -> None:
    build_model(tiny(shard_folder, tmp_path), processor=processor).save_pretrained(tmp_path / "old")
    path = tmp_path / "old" / "config.json"
    stored = json.loads(path.read_text())
    del stored["image_seq_length"]
    path.write_text(json.dumps(stored))
    config = stage_config(shard_folder, tmp_path, model={"tiny": None}, init_from=str(tmp_path / "old"))
    assert build_model(config, processor=processor).config.image_seq_length == 4
    path.write_text(json.dumps(stored | {"image_token_index": 7}))
    with pytest.raises(CurateError, match="image token is 7, that of its tokenizer 3 "):
        build_model(config, processor=processor)
    path.write_text(json.dumps(stored | {"vision_feature_layer": [-2, -1]}))
    with pytest.raises(CurateError, match="features of several layers"):
        build_model(config, processor=processor)


@pytest.mark.parametrize(("version", "order"), [("4.36.2", "columns"), ("4.46.0", "rows")])
def test_a_projector_brings_its_order_of_patches(
    shard_folder: str, parts: dict[str, str], tmp_path: Path, version: str, order: str
) -> None:
    write_vila(tmp_path / "vila", transformers_version=version)
    vision = str(tmp_path / "vila" / "vision_tower")
    towers = {"tiny": None, "vision": vision, "llm": parts["llm"], "projector": "mlp_downsample"}
    config = stage_config(shard_folder, tmp_path, model=towers | {"projector_from": str(tmp_path / "vila")})
    assert build_model(config, processor=build_processor(config)).config.patch_order == order
    alone = str(tmp_path / "vila" / "mm_projector" / "model.safetensors")
    bare = stage_config(shard_folder, tmp_path, model=towers | {"projector_from": alone})
    with pytest.raises(CurateError, match=r"say so with model\.patch_order"):
        build_model(bare, processor=build_processor(bare))
