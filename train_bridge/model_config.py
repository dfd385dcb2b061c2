"""What is trained: where the weights come from, which projector stands between, and which of them learn."""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator

FROZEN = ConfigDict(frozen=True, extra="forbid")
SORTED = PlainSerializer(lambda names: None if names is None else sorted(map(str, names)))  # sets have no order
Projector = Literal[
    "linear",
    "mlp",
    "mlp_downsample",
    "mlp_downsample_2x2_fix",
    "mlp_downsample_3x3_fix",
    "mlp_downsample_3x3_s2",
    "mlp_downsample_3x3_s2_new",
]
RANDOM = "random"
"""Of ``projector_from``: random weights, on purpose."""
IMAGE_MODES = {"resize": "resize", "pad": "pad", "crop": None, "tiles": "dynamic", "s2": "dynamic_s2"}
"""Our names of how images are made, and NVlabs/VILA's ``image_aspect_ratio``; None leaves it to the processor."""


def _own_name(projector: object) -> object:
    """Return our name of a projector that others call otherwise."""
    return {"mlp2x_gelu": "mlp", "downsample_mlp": "mlp_downsample"}.get(str(projector), projector)


class Module(StrEnum):
    """A part of the model that a stage may train."""

    PROJECTOR = "projector"
    LLM = "llm"
    VISION = "vision"


class ImageConfig(BaseModel):
    """How an image becomes what the vision tower sees."""

    model_config = FROZEN

    mode: Literal["resize", "pad", "crop", "tiles", "s2"] | None = None
    """``resize`` scales both sides, whatever the aspect (VILA); ``pad`` makes a square with bars of the mean colour
    (LLaVA-1.5); ``crop`` takes the centre (CLIP); ``tiles`` are squares in the grid nearest to the image's shape, and
    the whole image (NVILA-Lite); ``s2`` joins several scales (NVILA). Null: as the folder of the weights has it, or its
    image processor."""
    min_tiles: int = Field(1, ge=1)
    max_tiles: int = Field(12, ge=1)
    """Of an image; of ``s2``, at the largest scale, which has at least its square (NVlabs/VILA: 12)."""
    s2_scales: tuple[int, ...] | None = None
    """px: the vision tower's side and its multiples; null is once, twice and three times (NVILA)."""

    @model_validator(mode="after")
    def _check_tiles(self) -> Self:
        scales = self.s2_scales or (1, 2, 3)
        if list(scales) != sorted(set(scales)):
            raise ValueError(f"s2_scales: {', '.join(map(str, scales))} do not rise")
        least = self.min_tiles if self.mode != "s2" else (scales[-1] // scales[0]) ** 2
        if self.max_tiles < least:
            raise ValueError(f"max_tiles: {self.max_tiles}; expected at least {least}")
        return self


class TinyConfig(BaseModel):
    """A small model with random weights, and a tokenizer learned from the shards: for tests and demonstrations."""

    model_config = FROZEN

    vocab_size: int = Field(1024, ge=300)
    """Tokens of the byte-level BPE, its special tokens included."""
    hidden_size: int = Field(128, ge=8)
    """Width of the language model; heads are 32 wide where that divides it, else there are two."""
    num_layers: int = Field(4, ge=1)
    """Layers of the language model."""
    vision_hidden_size: int = Field(96, ge=8)
    """Width of the vision tower."""
    vision_num_layers: int = Field(3, ge=2)
    """Layers of the vision tower; the last is not used (VILA takes the features of the one before it)."""
    image_size: int = Field(64, ge=8)
    """Pixels per side that the vision tower sees."""
    patch_size: int = Field(16, ge=4)
    """Pixels per side of a patch; an image is (image_size / patch_size)**2 tokens."""
    initializer_range: float = Field(0.05, gt=0)
    """Standard deviation of the random weights."""
    tokenizer_samples: int = Field(20_000, ge=1)
    """The tokenizer learns from this many samples at the start of the shards."""

    @model_validator(mode="after")
    def _check_patches(self) -> Self:
        if self.image_size % self.patch_size:
            raise ValueError(f"image_size {self.image_size} is not a multiple of patch_size {self.patch_size}")
        return self


class LoraConfig(BaseModel):
    """Low-rank adapters of a module (LoRA, arXiv 2106.09685): its own weights are frozen."""

    model_config = FROZEN

    rank: int = Field(64, ge=1)
    """Of the adapters (NVlabs/VILA's ``lora_r``, and its paper's table 9)."""
    alpha: float | None = Field(None, gt=0)
    """What an adapter gives is multiplied by ``alpha / rank``. Null: twice the rank (LLaVA-1.5's scripts)."""
    dropout: float = Field(0.0, ge=0.0, lt=1.0)
    """Of an adapter's input, while it learns (LLaVA-1.5 and NVlabs/VILA: 0.05)."""
    targets: Literal["all-linear"] | Annotated[tuple[str, ...], Field(min_length=1)] = "all-linear"
    """Layers with an adapter: all linear ones of the module's decoder or encoder layers, or patterns of names, such as
    ``[q_proj, v_proj]``, ``[layers.3.*]`` or ``[lm_head]``. What ``freeze`` matches has none; nor have the experts of a
    mixture that are one tensor."""


class ModelConfig(BaseModel):
    """Where the weights come from, and which of them learn."""

    model_config = FROZEN

    vision: str | None = None
    """Vision tower: a folder or a hub name, such as ``openai/clip-vit-large-patch14-336``. With ``init_from`` of VILA
    v1.0 or original LLaVA, in place of the name that the folder gives for its tower."""
    llm: str | None = None
    """Causal language model and its tokenizer: a folder or a hub name, such as ``meta-llama/Llama-2-7b-hf``."""
    tiny: TinyConfig | None = None
    """Instead of both: a small random model."""
    projector: Annotated[Projector | None, BeforeValidator(_own_name)] = None
    """Null: that of ``init_from``; of a new model, ``mlp``, the two-layer GELU one of LLaVA-1.5 and VILA's scripts,
    which every server knows. ``linear`` is the paper's best (table 1), which servers do not know. The others have the
    names of NVlabs/VILA and join 2x2 or 3x3 neighbours first, for a quarter or a ninth of the tokens per image:
    ``mlp_downsample`` is VILA-1.5's and NVILA's, ``mlp_downsample_3x3_fix`` NVILA-Lite's."""
    projector_from: str | None = None
    """Where the projector's first weights are: a file (``mm_projector.bin``), a folder or a hub name of a model. Null:
    random ones, which a stage refuses where the language model learns from its first step on; ``random`` says that they
    are meant."""
    patch_order: Literal["rows", "columns"] | None = None
    """Order of the joined squares of ``mlp_downsample``. VILA-1.5's code read them column by column, NVILA's row by
    row, under one name. Null: that of the weights: ``columns`` for a folder written with transformers before 4.46, else
    ``rows``."""
    trainable: Annotated[frozenset[Module], SORTED] = frozenset({Module.PROJECTOR, Module.LLM})
    """What learns; the rest is frozen."""
    unfreeze: tuple[str, ...] = ()
    """Patterns (``*`` is any text) of parameter names that learn too, such as ``*vision_tower.encoder.layers.2*``."""
    freeze: tuple[str, ...] = ()
    """Patterns of parameter names that stay frozen all the same, such as ``*.embed_tokens.*``; they win."""
    lora: dict[Module, LoraConfig] = Field(default_factory=dict)
    """Modules that learn through adapters instead of as a whole (extra ``lora``), such as ``{llm: {rank: 64}}``; they
    are merged into the weights when the model is exported. None by default: VILA (table 9) found LoRA of rank 64 behind
    full fine-tuning, VQAv2 69.4 against 79.9, GQA 54.3 against 62.3, TextVQA 50.0 against 64.4."""
    frozen_dtype: Literal["fp32", "bf16"] = "fp32"
    """In which frozen weights of linear layers are held while the stage runs. ``bf16`` takes half the memory and needs
    a computation in bf16, which rounds them so anyway: what is learned is the same. They are exported as rounded."""
    vision_feature_layer: int = -2
    """Hidden state of the vision tower that is projected. -2: LLaVA and VILA; 0 is the embedding."""
    vision_feature_select: Literal["default", "full"] | None = None
    """Which tokens of it: ``default`` drops the first one, ``full`` keeps all; null drops class token and registers,
    where the tower has them."""

    @property
    def new_projector(self) -> Projector:
        """``projector`` of a model that is put together."""
        return self.projector or "mlp"

    @model_validator(mode="after")
    def _check_lora(self) -> Self:
        faults = [
            f"lora.{module}: trainable says that {module} learns as a whole; name it in one of the two"
            for module in sorted(self.lora.keys() & self.trainable)
        ]
        if Module.PROJECTOR in self.lora:
            faults.append("lora.projector: it is small and learns as a whole; name it in trainable")
        if faults:
            raise ValueError("; ".join(faults))
        return self
