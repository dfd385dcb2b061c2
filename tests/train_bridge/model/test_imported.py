"""Folders of the VILA family against what NVlabs/VILA and SGLang compute of them, restated here."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional
from transformers import (
    AutoTokenizer,
    CLIPVisionModel,
    LlamaForCausalLM,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    Qwen2Config,
    Qwen2ForCausalLM,
    SiglipVisionModel,
)

from curate.contract.errors import CurateError
from tests.train_bridge.checkpoints.folders import PROJECTORS, VOCAB, write_nvila, write_vila, write_vila_v1
from tests.train_bridge.conftest import stage_config
from train_bridge.checkpoints.targets import write_target
from train_bridge.config import StageConfig
from train_bridge.model.imported import ORIGIN
from train_bridge.model.llava import build_model, projector_of
from train_bridge.model.processor import build_processor, tokens_per_image
from train_bridge.model.vila_llava import VilaLlava
from train_bridge.training.export import prepare_export


def stage(shards: str, folder: Path, **model: Any) -> StageConfig:
    config = stage_config(shards, folder.parent / "out", model={"tiny": None}, init_from=str(folder))
    return config.model_copy(update={"model": config.model.model_copy(update=model)})


def load(config: StageConfig) -> tuple[LlavaForConditionalGeneration, LlavaProcessor]:
    processor = build_processor(config)
    return build_model(config, processor=processor).eval(), processor


def squares(grid: torch.Tensor, *, factor: int, order: str) -> torch.Tensor:
    """Join factor x factor neighbours of [1, R, R, C], square by square, in the published order."""
    side = grid.shape[1] + (-grid.shape[1] % factor)
    padded = torch.zeros(1, side, side, grid.shape[3])
    padded[:, : grid.shape[1], : grid.shape[2]] = grid
    places = [(i, j) for i in range(0, side, factor) for j in range(0, side, factor)]
    if order == "columns":
        places = [(j, i) for i, j in places]
    return torch.stack([padded[0, i : i + factor, j : j + factor].reshape(-1) for i, j in places])[None]


def published_tokens(states: torch.Tensor, layers: dict[str, nn.Module], kind: str, order: str) -> torch.Tensor:
    """Project patches [1, P, C] as NVlabs/VILA does."""
    x = states
    if "downsample" in kind:
        side = int(states.shape[1] ** 0.5)
        x = squares(states.reshape(1, side, side, -1), factor=3 if "3x3" in kind else 2, order=order)
    *inner, last = layers.values()
    for layer in inner:
        x = layer(x)
        x = functional.gelu(x) if isinstance(layer, nn.Linear) else x
    return torch.as_tensor(last(x))


@torch.no_grad()
def assert_same_logits(
    model: LlavaForConditionalGeneration,
    processor: LlavaProcessor,
    *,
    text: LlamaForCausalLM | Qwen2ForCausalLM,
    tokens: torch.Tensor,
    pixels: torch.Tensor,
) -> None:
    """Compare with the original language model, which is given the image's tokens as embeddings."""
    before, after = torch.tensor([[1, 70, 80]]), torch.tensor([[90, 7, 12, 33]])
    embed = text.get_input_embeddings()
    expected = text(inputs_embeds=torch.cat([embed(before), tokens, embed(after)], dim=1)).logits
    image = torch.full((1, tokens.shape[1]), processor.image_token_id)
    ids = torch.cat([before, image, after], dim=1)
    logits = model(input_ids=ids, pixel_values=pixels).logits
    assert torch.allclose(logits[..., :VOCAB], expected, atol=1e-5)


@pytest.mark.parametrize("kind", PROJECTORS)
@torch.no_grad()
def test_three_folders_compute_what_vila_computes(shard_folder: str, tmp_path: Path, kind: str) -> None:
    torch.manual_seed(0)
    layers = write_vila(tmp_path / "vila", projector=kind)
    model, processor = load(stage(shard_folder, tmp_path / "vila"))
    pixels = torch.randn(1, 3, 28, 28)
    tower = SiglipVisionModel.from_pretrained(tmp_path / "vila" / "vision_tower")
    states = tower(pixels, output_hidden_states=True).hidden_states[-2]
    order = "columns" if kind == "mlp_downsample" else "rows"
    tokens = published_tokens(states, layers, kind, order)
    assert tokens_per_image(processor) == tokens.shape[1]
    text = LlamaForCausalLM.from_pretrained(tmp_path / "vila" / "llm")
    assert_same_logits(model, processor, text=text, tokens=tokens, pixels=pixels)
    assert isinstance(model, VilaLlava) is (kind not in ("linear", "mlp2x_gelu"))  # the plain class where it has one
    assert projector_of(model.config) == {"mlp2x_gelu": "mlp"}.get(kind, kind)


@pytest.mark.parametrize(
    ("version", "setting", "order"),
    [("4.36.2", None, "columns"), ("4.46.0", None, "rows"), ("4.36.2", "rows", "rows"), (None, "columns", "columns")],
)
@torch.no_grad()
def test_the_order_of_patches_is_that_of_the_code_that_wrote_the_folder(
    shard_folder: str, tmp_path: Path, version: str | None, setting: str | None, order: str
) -> None:
    torch.manual_seed(0)
    layers = write_vila(tmp_path / "vila", transformers_version=version)
    model, processor = load(stage(shard_folder, tmp_path / "vila", patch_order=setting))
    pixels = torch.randn(1, 3, 28, 28)
    tower = SiglipVisionModel.from_pretrained(tmp_path / "vila" / "vision_tower")
    tokens = published_tokens(
        tower(pixels, output_hidden_states=True).hidden_states[-2], layers, "mlp_downsample", order
    )
    text = LlamaForCausalLM.from_pretrained(tmp_path / "vila" / "llm")
    assert_same_logits(model, processor, text=text, tokens=tokens, pixels=pixels)


def test_an_order_that_nothing_tells_has_to_be_said(shard_folder: str, tmp_path: Path) -> None:
    write_vila(tmp_path / "vila", transformers_version=None)
    with pytest.raises(CurateError, match=r"names no transformers_version.*model\.patch_order"):
        build_processor(stage(shard_folder, tmp_path / "vila"))


@pytest.mark.parametrize("kind", ["linear", "mlp2x_gelu"])
@pytest.mark.parametrize("trained_tower", [False, True])
@torch.no_grad()
def test_vila_v1_computes_what_llava_computes(
    shard_folder: str, tmp_path: Path, kind: str, *, trained_tower: bool
) -> None:
    torch.manual_seed(0)
    folder = tmp_path / "vila"
    layers = write_vila_v1(folder, projector=kind, trained_tower=trained_tower)
    tensors: dict[str, torch.Tensor] = {}
    for path in folder.glob("pytorch_model-*.bin"):
        tensors |= torch.load(path, weights_only=True)
    model, processor = load(stage(shard_folder, folder))
    tower = CLIPVisionModel.from_pretrained(folder / "tower")
    inside = "model.vision_tower.vision_tower.vision_model."
    if trained_tower:
        tower.load_state_dict({n.removeprefix(inside): v for n, v in tensors.items() if n.startswith(inside)})
    pixels = torch.randn(1, 3, 28, 28)
    states = tower(pixels, output_hidden_states=True).hidden_states[-2][:, 1:]
    text = LlamaForCausalLM(model.config.text_config).eval()
    rows = text.state_dict()
    own = {n: v for n, v in tensors.items() if n in rows}
    padded = {n: functional.pad(v, (0, 0, 0, len(rows[n]) - len(v))) if v.ndim == 2 else v for n, v in own.items()}
    text.load_state_dict(padded)
    tokens = published_tokens(states, layers, kind, "rows")
    assert_same_logits(model, processor, text=_cut(text), tokens=tokens, pixels=pixels)
    assert tokens_per_image(processor) == 49


def _cut(text: LlamaForCausalLM) -> LlamaForCausalLM:
    text.lm_head.weight = nn.Parameter(text.lm_head.weight[:VOCAB])
    return text


@torch.no_grad()
def test_lite_and_whole_nvila_compute_what_sglang_computes(shard_folder: str, tmp_path: Path) -> None:
    for lite in (True, False):
        torch.manual_seed(0)
        folder = tmp_path / f"nvila{lite}"
        layers = write_nvila(folder, lite=lite)
        model, processor = load(stage(shard_folder, folder))
        tensors = load_file(folder / "model.safetensors")
        text = Qwen2ForCausalLM(Qwen2Config(**json.loads((folder / "config.json").read_text())["text_config"]))
        text.load_state_dict({n.removeprefix("llm."): v for n, v in tensors.items() if n.startswith("llm.")})
        pixels = torch.randn(1, 3, 28, 28)
        states = model.model.vision_tower(pixels, output_hidden_states=True).hidden_states[-2]
        kind = "mlp_downsample_3x3_fix" if lite else "mlp_downsample"
        tokens = published_tokens(states if lite else states.repeat(1, 1, 3), layers, kind, "rows")
        assert_same_logits(model, processor, text=text.eval(), tokens=tokens, pixels=pixels)


def test_what_the_folder_was_is_remembered(shard_folder: str, tmp_path: Path) -> None:
    write_vila(tmp_path / "vila")
    model, processor = load(stage(shard_folder, tmp_path / "vila"))
    model.save_pretrained(tmp_path / "saved")
    origin = getattr(VilaLlava.from_pretrained(tmp_path / "saved").config, ORIGIN)
    assert origin["layout"] == "vila"
    assert origin["vocab_size"] == VOCAB
    assert origin["root"]["s2_scales"] == "336,672,1008"
    assert origin["parts"]["llm"]["rope_theta"] == 10_000.0
    assert processor.tokenizer.encode("<image>", add_special_tokens=False) == [processor.image_token_id]


def test_conversations_are_those_of_the_family(shard_folder: str, tmp_path: Path) -> None:
    write_vila(tmp_path / "vila")
    write_vila(tmp_path / "nvila", text="qwen2", transformers_version="4.46.0")
    chat = [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Yes?"}]
    vicuna = build_processor(stage(shard_folder, tmp_path / "vila")).tokenizer
    written = vicuna.apply_chat_template(chat, tokenize=False)
    assert written.startswith("<s>A chat between a curious user and an artificial intelligence assistant.")
    assert written.endswith(" USER: Hi. ASSISTANT: Yes?</s>")
    qwen = build_processor(stage(shard_folder, tmp_path / "nvila")).tokenizer
    own = AutoTokenizer.from_pretrained(tmp_path / "nvila" / "llm")
    assert qwen.apply_chat_template(chat, tokenize=False) == own.apply_chat_template(chat, tokenize=False)


@pytest.mark.parametrize(
    ("part", "change", "fault"),
    [
        ("llm", lambda t: {n: v for n, v in t.items() if "layers.1" not in n}, "language model: 9 tensors are missing"),
        ("vision_tower", lambda t: t | {"extra.weight": torch.zeros(2)}, "vision tower: 1 tensors are not known"),
        ("mm_projector", lambda t: {n: v for n, v in t.items() if "4.bias" not in n}, "projector mlp_downsample"),
        ("mm_projector", lambda t: t | {"layers.2.weight": torch.zeros(3, 3)}, r"shape \(3, 3\), expected \(32, 192\)"),
        ("llm", lambda t: t | {"lm_head.weight": torch.zeros(9, 32)}, "1 tensors are of another shape"),
    ],
)
def test_weights_that_are_not_whole_are_named(
    shard_folder: str, tmp_path: Path, part: str, change: Any, fault: str
) -> None:
    write_vila(tmp_path / "vila")
    path = tmp_path / "vila" / part / "model.safetensors"
    save_file(change(load_file(path)), path)
    config = stage(shard_folder, tmp_path / "vila")
    processor = build_processor(config)
    with pytest.raises(CurateError, match=fault):
        build_model(config, processor=processor)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"s2": True}, "s2 of VILA-1.5"),
        ({"image_aspect_ratio": "anyres"}, "image_aspect_ratio anyres is not known"),
        ({"mm_use_im_start_end": True}, "mm_use_im_start_end"),
        ({"quantization_config": {"bits": 4}}, "quantised"),
        ({"mm_vision_select_feature": "cls"}, "mm_vision_select_feature cls is not known"),
        ({"image_aspect_ratio": ["pad"]}, r"image_aspect_ratio \['pad'\] is not known"),
        ({"mm_vision_select_layer": None}, r"config\.json cannot be used \(TypeError"),
        ({"dynamic_s2": True, "s2_scales": None}, r"config\.json cannot be used \(TypeError"),
    ],
)
def test_what_is_not_done_here_is_refused_by_name(
    shard_folder: str, tmp_path: Path, change: dict[str, Any], fault: str
) -> None:
    write_vila(tmp_path / "vila", **change)
    with pytest.raises(CurateError, match=fault):
        build_processor(stage(shard_folder, tmp_path / "vila"))


def test_tables_that_older_versions_stored_are_passed_over(shard_folder: str, tmp_path: Path) -> None:
    write_vila(tmp_path / "vila")
    for part, name in (
        ("llm", "model.layers.0.self_attn.rotary_emb.inv_freq"),
        ("vision_tower", "vision_model.embeddings.position_ids"),
    ):
        path = tmp_path / "vila" / part / "model.safetensors"
        save_file(load_file(path) | {name: torch.zeros(3)}, path)
    model, _ = load(stage(shard_folder, tmp_path / "vila"))
    assert all(parameter.isfinite().all() for parameter in model.parameters())


@pytest.mark.parametrize("has_head", [False, True])
def test_a_tied_language_model_of_half_precision_comes_and_goes(
    shard_folder: str, tmp_path: Path, *, has_head: bool
) -> None:
    folder = tmp_path / "nvila"
    write_vila(folder, text="qwen2", transformers_version="4.46.0")
    config = json.loads((folder / "llm" / "config.json").read_text()) | {"tie_word_embeddings": True}
    (folder / "llm" / "config.json").write_text(json.dumps(config | {"torch_dtype": "bfloat16"}))
    root = json.loads((folder / "config.json").read_text()) | {"model_dtype": "torch.bfloat16"}
    (folder / "config.json").write_text(json.dumps(root))
    for part in ("llm", "vision_tower", "mm_projector"):
        path = folder / part / "model.safetensors"
        tensors = {name: value.bfloat16() for name, value in load_file(path).items()}
        if part == "llm":
            tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].clone()
            tensors = tensors if has_head else {n: v for n, v in tensors.items() if n != "lm_head.weight"}
        save_file(tensors, path)
    model, processor = load(stage(shard_folder, folder))
    assert model.lm_head.weight is model.model.language_model.embed_tokens.weight
    exported = prepare_export(model, processor=processor, weights=model.state_dict())
    assert exported.dtype == "bfloat16"
    write_target("vila", tmp_path / "back", exported)
    before, after = load_file(folder / "llm" / "model.safetensors"), load_file(tmp_path / "back/llm/model.safetensors")
    assert before.keys() == after.keys()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


@pytest.mark.parametrize(
    ("part", "words", "fault"),
    [
        (
            "vision_tower",
            {"model_type": "intern_vit_6b"},
            "vision_tower is of type intern_vit_6b, which transformers does not know",
        ),
        (
            "mm_projector",
            {"mm_projector_type": "resampler"},
            "projector resampler is not known; known are mlpNx_gelu, linear, mlp_down",
        ),
    ],
)
def test_a_part_that_is_not_known_is_named(
    shard_folder: str, tmp_path: Path, part: str, words: dict[str, str], fault: str
) -> None:
    write_vila(tmp_path / "vila")
    path = tmp_path / "vila" / part / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | words))
    with pytest.raises(CurateError, match=fault):
        build_processor(stage(shard_folder, tmp_path / "vila"))
