"""Tiny folders in the layouts of others, with random weights and the names that real ones have."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import nn
from transformers import (
    CLIPImageProcessor,
    CLIPVisionConfig,
    CLIPVisionModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    SiglipImageProcessor,
    SiglipVisionConfig,
    SiglipVisionModel,
)

HIDDEN, CHANNELS, VOCAB = 32, 48, 320
SIZES = {"intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
IMAGE_PX, PATCH_PX = 28, 4
"""7 x 7 patches: an odd grid, as SigLIP's 27 x 27 of 384 px."""
PROJECTORS = (
    "linear",
    "mlp2x_gelu",
    "mlp3x_gelu",
    "mlp_downsample",
    "mlp_downsample_2x2_fix",
    "mlp_downsample_3x3_fix",
    "mlp_downsample_3x3_s2",
    "mlp_downsample_3x3_s2_new",
)
SENTENCES = ("The red dog sits on a green field.", "A blue cat and a red ball number 42.")


def new_text(kind: str = "llama") -> LlamaForCausalLM | Qwen2ForCausalLM:
    """Return a language model with random weights."""
    if kind == "qwen2":
        return Qwen2ForCausalLM(
            Qwen2Config(hidden_size=HIDDEN, vocab_size=VOCAB, num_key_value_heads=1, **SIZES)
        ).eval()
    return LlamaForCausalLM(
        LlamaConfig(hidden_size=HIDDEN, vocab_size=VOCAB, max_position_embeddings=8192, **SIZES)
    ).eval()


def new_vision(kind: str = "siglip") -> SiglipVisionModel | CLIPVisionModel:
    """Return a vision tower with random weights."""
    if kind == "clip":
        return CLIPVisionModel(
            CLIPVisionConfig(hidden_size=CHANNELS, image_size=IMAGE_PX, patch_size=PATCH_PX, **SIZES)
        ).eval()
    return SiglipVisionModel(
        SiglipVisionConfig(hidden_size=CHANNELS, image_size=IMAGE_PX, patch_size=PATCH_PX, **SIZES)
    ).eval()


def write_model(folder: Path, model: Any, *, prefix: str = "", version: str = "4.36.2") -> None:
    """Write a part as transformers 4 wrote it: names with the tower's own prefix, an older configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = model.config.to_dict() | {"transformers_version": version, "torch_dtype": "float32"}
    rope = settings.pop("rope_parameters", None)
    if rope is not None:
        settings |= {"rope_theta": rope["rope_theta"], "rope_scaling": None}
    settings |= {"architectures": [type(model).__name__]}
    (folder / "config.json").write_text(json.dumps(settings))
    save_file({f"{prefix}{name}": value for name, value in model.state_dict().items()}, folder / "model.safetensors")


def write_llama_tokenizer(folder: Path) -> None:
    """Write a SentencePiece tokenizer as Llama 2 and VILA-1.5 have it: ``tokenizer.model`` and no JSON of it."""
    buffer = io.BytesIO()
    sentencepiece.set_min_log_level(2)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES * 20),
        model_writer=buffer,
        vocab_size=VOCAB,
        model_type="bpe",
        byte_fallback=True,
        character_coverage=1.0,
        hard_vocab_limit=False,
        normalization_rule_name="identity",
        minloglevel=2,
        pad_id=-1,
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.model").write_bytes(buffer.getvalue())
    marks = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    settings = marks | {"tokenizer_class": "LlamaTokenizer", "add_bos_token": True, "legacy": False}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    (folder / "special_tokens_map.json").write_text(json.dumps(marks))


def write_qwen_tokenizer(folder: Path, *, added: tuple[str, ...] = ()) -> None:
    """Write a byte-level tokenizer with ChatML marks, as Qwen and NVILA have it."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *added]
    trainer = trainers.BpeTrainer(
        special_tokens=specials, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False
    )
    backend.train_from_iterator([], trainer)
    template = (
        "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' "
        "+ '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
    )
    marks = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, chat_template=template, **marks)
    tokenizer.save_pretrained(folder)


def published_projector(kind: str, *, channels: int = CHANNELS, hidden: int = HIDDEN) -> dict[str, nn.Module]:
    """Return the layers with weights of a projector, by the names that NVlabs/VILA gives them behind ``layers``."""
    line, norm, h = nn.Linear, nn.LayerNorm, channels
    chains: Mapping[str, tuple[int, list[int]]] = {
        "mlp_downsample": (4, []),
        "mlp_downsample_2x2_fix": (4, []),
        "mlp_downsample_3x3_fix": (9, [3 * h]),
        "mlp_downsample_3x3_s2": (9, [3 * h, h, h // 3]),
        "mlp_downsample_3x3_s2_new": (9, [4 * h, 2 * h, h, h // 3]),
    }
    if kind == "linear":
        return {"": line(h, hidden)}
    if kind.endswith("x_gelu"):
        return {str(2 * i): line(h if i == 0 else hidden, hidden) for i in range(int(kind[3:-6]))}
    joined, between = chains[kind]
    widths = [joined * h, *between, hidden]
    layers: dict[str, nn.Module] = {}
    for i in range(len(widths) - 1):
        layers |= {str(3 * i + 1): norm(widths[i]), str(3 * i + 2): line(widths[i], widths[i + 1])}
    layers[str(3 * len(widths) - 2)] = line(hidden, hidden)
    return layers


def named(layers: Mapping[str, nn.Module], prefix: str) -> dict[str, torch.Tensor]:
    """Return the tensors of layers under the names of a layout."""
    return {
        ".".join(filter(None, (prefix, place, name))): value.detach()
        for place, layer in layers.items()
        for name, value in layer.named_parameters()
    }


def root_config(**changes: Any) -> dict[str, Any]:
    """Return what VILA-1.5's ``config.json`` says beside its parts."""
    return {
        "architectures": ["LlavaLlamaModel"],
        "hidden_size": HIDDEN,
        "image_aspect_ratio": "resize",
        "interpolate_mode": "linear",
        "mm_hidden_size": CHANNELS,
        "mm_use_im_start_end": False,
        "mm_vision_select_feature": "cls_patch",
        "mm_vision_select_layer": -2,
        "model_dtype": "torch.float32",
        "model_type": "llava_llama",
        "resume_path": "./vlm",
        "s2": False,
        "s2_scales": "336,672,1008",
        "transformers_version": "4.36.2",
        **changes,
    }


def write_vila(
    folder: Path, *, projector: str = "mlp_downsample", text: str = "llama", scales: int = 1, **changes: Any
) -> dict[str, nn.Module]:
    """Write VILA-1.5's or NVILA's three folders; return the projector's layers.

    Args:
        folder: Is made.
        projector: Type.
        text: ``llama`` or ``qwen2``.
        scales: Of S2.
        changes: Of the root configuration.
    """
    version = changes.get("transformers_version", "4.36.2") or "4.36.2"
    write_model(folder / "llm", new_text(text), version=version)
    (write_llama_tokenizer if text == "llama" else write_qwen_tokenizer)(folder / "llm")
    write_model(folder / "vision_tower", new_vision(), prefix="vision_model.", version=version)
    side = {"height": IMAGE_PX, "width": IMAGE_PX}
    SiglipImageProcessor(size=side).save_pretrained(folder / "vision_tower")
    layers = published_projector(projector, channels=CHANNELS * scales)
    own = {"model_type": "v2l_projector", "architectures": ["MultimodalProjector"], "mm_projector_type": projector}
    (folder / "mm_projector").mkdir()
    (folder / "mm_projector" / "config.json").write_text(json.dumps(own))
    save_file(named(layers, "layers"), folder / "mm_projector" / "model.safetensors")
    parts = {f"{name}_cfg": json.loads((folder / name / "config.json").read_text()) for name in PARTS}
    (folder / "config.json").write_text(json.dumps(root_config(**parts, **changes)))
    return layers


PARTS = ("llm", "vision_tower", "mm_projector")


def write_vila_v1(
    folder: Path, *, projector: str = "linear", trained_tower: bool = False, **changes: Any
) -> dict[str, nn.Module]:
    """Write VILA v1.0's one folder, and its CLIP tower beside it; return the projector's layers."""
    folder.mkdir(parents=True)
    text, tower = new_text(), new_vision("clip")
    write_model(folder / "tower", tower, prefix="vision_model.")
    side = {"height": IMAGE_PX, "width": IMAGE_PX}
    CLIPImageProcessor(size={"shortest_edge": IMAGE_PX}, crop_size=side).save_pretrained(folder / "tower")
    layers = published_projector(projector)
    tensors = dict(text.state_dict()) | named(layers, "model.mm_projector")
    if trained_tower:
        tensors |= {
            f"model.vision_tower.vision_tower.vision_model.{n}": v for n, v in new_vision("clip").state_dict().items()
        }
    half = len(tensors) // 2
    names = sorted(tensors)
    for number, part in enumerate((names[:half], names[half:]), 1):
        torch.save({name: tensors[name].clone() for name in part}, folder / f"pytorch_model-{number:05d}-of-00002.bin")
    where = {n: f"pytorch_model-{1 + (i >= half):05d}-of-00002.bin" for i, n in enumerate(names)}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"metadata": {}, "weight_map": where}))
    settings = text.config.to_dict()
    settings.pop("rope_parameters")
    settings |= {
        "architectures": ["LlavaLlamaForCausalLM"],
        "model_type": "llava_llama",
        "mm_vision_tower": str(folder / "tower"),
        "mm_projector_type": projector,
        "mm_hidden_size": CHANNELS,
        "mm_vision_select_layer": -2,
        "mm_vision_select_feature": "patch",
        "mm_use_im_start_end": False,
        "mm_use_im_patch_token": False,
        "use_mm_proj": True,
        "image_aspect_ratio": "pad",
        "rope_theta": 10_000.0,
        "transformers_version": "4.31.0",
        **changes,
    }
    (folder / "config.json").write_text(json.dumps(settings))
    write_llama_tokenizer(folder)
    return layers


def write_nvila(folder: Path, *, lite: bool = False) -> dict[str, nn.Module]:
    """Write the flat form that SGLang serves; return the projector's layers."""
    folder.mkdir(parents=True)
    text, vision = new_text("qwen2"), new_vision()
    layers = published_projector(
        "mlp_downsample_3x3_fix" if lite else "mlp_downsample", channels=CHANNELS * (1 if lite else 3)
    )
    tensors = {f"llm.{name}": value for name, value in text.state_dict().items()}
    tensors |= {f"vision_tower.vision_model.{name}": value for name, value in vision.state_dict().items()}
    save_file(tensors | named(layers, "mm_projector.layers"), folder / "model.safetensors")
    root = {
        "architectures": ["NVILALiteForConditionalGeneration" if lite else "NVILAForConditionalGeneration"],
        "model_type": "nvila_lite" if lite else "nvila",
        "text_config": text.config.to_dict(),
        "vision_config": vision.config.to_dict(),
        "image_token_id": 263,
        "video_token_id": 264,
        "transformers_version": "4.56.0",
    }
    (folder / "config.json").write_text(json.dumps(root))
    write_qwen_tokenizer(folder)
    SiglipImageProcessor(size={"height": IMAGE_PX, "width": IMAGE_PX}).save_pretrained(folder)
    return layers
