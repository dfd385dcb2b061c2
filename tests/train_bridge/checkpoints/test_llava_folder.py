"""The tensors' names beside what vLLM's and SGLang's loaders do with them, restated: none is left without a value.

Read: vLLM ``model_executor/models/{llava,clip,siglip,llama,qwen2}.py``, SGLang ``srt/models/{nvila,nvila_lite}.py``.
"""

import json
from pathlib import Path

import pytest
import torch
from transformers import LlavaForConditionalGeneration, Qwen2ForCausalLM, SiglipVisionModel

from tests.train_bridge.checkpoints.folders import write_nvila, write_vila, write_vila_v1
from tests.train_bridge.checkpoints.test_vila_folders import export
from tests.train_bridge.conftest import stage_config
from train_bridge.checkpoints.llava_folder import hub_names, write_llava
from train_bridge.checkpoints.tensors import read_tensors
from train_bridge.model.llava import build_model
from train_bridge.model.processor import build_processor
from train_bridge.training.export import prepare_export

VLLM_PREFIXES = {
    "model.language_model.": "language_model.model.",
    "model.vision_tower.": "vision_tower.",
    "model.multi_modal_projector.": "multi_modal_projector.",
    "lm_head.": "language_model.lm_head.",
}
VLLM_STACKED = {"q_proj": "qkv_proj", "k_proj": "qkv_proj", "v_proj": "qkv_proj", "gate_proj": "gate_up_proj"}
VLLM_STACKED |= {"up_proj": "gate_up_proj"}


def vllm_names(names: set[str]) -> set[str]:
    """Map a folder's names to vLLM's parameters: prefixes first, then what it keeps in one matrix."""
    found = set()
    for name in names:
        mapped = next(
            (new + name.removeprefix(old) for old, new in VLLM_PREFIXES.items() if name.startswith(old)), name
        )
        for part, whole in VLLM_STACKED.items():
            mapped = mapped.replace(f".{part}.", f".{whole}.")
        found.add(mapped)
    return found


def vllm_parameters(model: LlavaForConditionalGeneration) -> set[str]:
    """Name what vLLM's LLaVA has: towers under their old names, the vision tower up to the layer that is used."""
    config, names = model.config, set()
    used = config.vision_config.num_hidden_layers + config.vision_feature_layer + 1
    for name in model.state_dict():
        if name.startswith("model.vision_tower."):
            rest = name.removeprefix("model.vision_tower.")
            layer = rest.split("layers.")[1].split(".")[0] if "layers." in rest else "0"
            if int(layer) < used and not rest.startswith(("post_layernorm", "head")):
                names.add(f"vision_tower.vision_model.{rest}")
        else:
            names.add(name)
    return vllm_names(names)


@pytest.mark.parametrize("vision", ["clip", "siglip"])
def test_vllm_finds_every_weight_of_plain_llava(
    shard_folder: str, parts: dict[str, str], tmp_path: Path, vision: str
) -> None:
    towers = {"tiny": None, "vision": parts[vision], "llm": parts["llm"]}
    config = stage_config(shard_folder, tmp_path, model=towers)
    processor = build_processor(config)
    model = build_model(config, processor=processor)
    exported = prepare_export(model, processor=processor, weights=model.state_dict())
    write_llava(tmp_path / "final", exported)
    stored = read_tensors(str(tmp_path / "final"))
    assert stored.keys() == hub_names(exported).keys()
    found, wanted = vllm_names(set(stored)), vllm_parameters(model)
    assert wanted <= found
    # What is over are layers behind the feature, which vLLM leaves out too.
    assert all("layers.1." in name or "post_layernorm" in name or ".head." in name for name in found - wanted)
    written = json.loads((tmp_path / "final" / "config.json").read_text())
    assert written["projector_hidden_act"] == "gelu"  # vLLM has no activation that is called linear
    assert written["vision_config"]["model_type"] in ("clip_vision_model", "siglip_vision_model")
    assert written["text_config"]["architectures"] == ["LlamaForCausalLM"]


@pytest.mark.parametrize("lite", [False, True])
def test_sglang_finds_every_weight_of_nvila_and_no_other(shard_folder: str, tmp_path: Path, *, lite: bool) -> None:
    layers = write_nvila(tmp_path / "source", lite=lite)
    export(shard_folder, tmp_path / "source", tmp_path / "target")
    root = json.loads((tmp_path / "target" / "config.json").read_text())
    stored = read_tensors(str(tmp_path / "target"))
    with torch.device("meta"):
        vision = SiglipVisionModel(SiglipVisionModel.config_class(**root["vision_config"]))
        text = Qwen2ForCausalLM(Qwen2ForCausalLM.config_class(**root["text_config"]))
    wanted = {f"llm.{name}" for name in text.state_dict()}
    wanted |= {f"vision_tower.vision_model.{name}" for name in vision.state_dict()}
    wanted |= {f"mm_projector.layers.{place}.{name}" for place in layers for name in ("weight", "bias")}
    assert set(stored) == wanted
    assert set(root) >= {"text_config", "vision_config", "image_token_id", "model_type"}


@pytest.mark.parametrize("write", [write_vila, write_vila_v1])
def test_an_imported_model_has_the_words_that_plain_classes_read(
    shard_folder: str, tmp_path: Path, write: object
) -> None:
    assert callable(write)
    write(tmp_path / "source", projector="mlp2x_gelu")
    export(shard_folder, tmp_path / "source", tmp_path / "target", "vllm")
    model, info = LlavaForConditionalGeneration.from_pretrained(tmp_path / "target", output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    assert model.config.text_config.rope_parameters["rope_theta"] == 10_000.0
