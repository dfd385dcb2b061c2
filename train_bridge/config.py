"""What a training stage can be told: one frozen model per part of the stage file.

Paths are relative to the current folder, because stage files ship with the package and are used from anywhere.
Defaults that the VILA paper leaves open are those of its published training scripts and of the Hugging Face Trainer
that runs them; the comment under a field says which.
"""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ByteSize, ConfigDict, Field, PlainSerializer, field_validator, model_validator

from curate.blend.config import name_places
from curate.blend.weights import Weight, check_weights
from curate.contract.reasons import Kind
from shards.cache import CacheSettings

LongDocuments = Literal["split", "with_images", "truncate"]
Schedule = Literal["cosine", "linear", "constant", "wsd"]
FROZEN = ConfigDict(frozen=True, extra="forbid")
Share = Annotated[float, Field(ge=0.0, le=1.0)]
_SORTED = PlainSerializer(lambda names: None if names is None else sorted(map(str, names)))  # sets have no order


class Module(StrEnum):
    """A part of the model that a stage may train."""

    PROJECTOR = "projector"
    LLM = "llm"
    VISION = "vision"


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


class ModelConfig(BaseModel):
    """Where the weights come from, and which of them learn."""

    model_config = FROZEN

    vision: str | None = None
    """Vision tower: a folder or a hub name, such as ``openai/clip-vit-large-patch14-336``."""
    llm: str | None = None
    """Causal language model and its tokenizer: a folder or a hub name, such as ``meta-llama/Llama-2-7b-hf``."""
    tiny: TinyConfig | None = None
    """Instead of both: a small random model."""
    projector: Literal["linear", "mlp", "downsample_mlp"] = "linear"
    """``linear`` is the paper's best (table 1); ``mlp`` is the two-layer GELU one of LLaVA-1.5 and VILA's scripts;
    ``downsample_mlp`` joins 2x2 neighbours first, as VILA-1.5 does: a quarter of the tokens per image."""
    trainable: Annotated[frozenset[Module], _SORTED] = frozenset({Module.PROJECTOR, Module.LLM})
    """What learns; the rest is frozen."""
    unfreeze: tuple[str, ...] = ()
    """Patterns (``*`` is any text) of parameter names that learn too, such as ``*vision_tower.encoder.layers.2*``."""
    freeze: tuple[str, ...] = ()
    """Patterns of parameter names that stay frozen all the same, such as ``*.embed_tokens.*``; they win."""
    vision_feature_layer: int = -2
    """Hidden state of the vision tower that is projected. -2: LLaVA and VILA; 0 is the embedding."""
    vision_feature_select: Literal["default", "full"] | None = None
    """Which tokens of it: ``default`` drops the first one, ``full`` keeps all; null drops class token and registers,
    where the tower has them."""


class ShardCacheConfig(BaseModel):
    """Shards of remote sets that are kept on a local disk; see ``shards.cache``."""

    model_config = FROZEN

    folder: str
    """Several sets, runs and processes may share it."""
    max_bytes: ByteSize = Field(gt=0)
    """Such as 500GB. What does not fit is read by range; nothing is evicted or deleted."""

    @property
    def settings(self) -> CacheSettings:
        """As the reader takes them."""
        return CacheSettings(folder=self.folder, max_bytes=int(self.max_bytes))


class ChatConfig(BaseModel):
    """How conversations are written. Template and variables are stored with the exported model."""

    model_config = FROZEN

    template: str | None = None
    """A file with a Jinja chat template; null takes the tokenizer's own, or Vicuna's form where it has none."""
    variables: dict[str, bool | int | float | str | None] = Field(default_factory=dict)
    """What the template is told, such as ``{enable_thinking: false}``: the default where a caller says nothing."""
    system: Literal["fold", "refuse"] = "fold"
    """Where the template takes no system turn, or loses it: its text begins the user's first turn, or the conversation
    is not used, and counted."""

    @field_validator("variables")
    @classmethod
    def _check_names(cls, variables: dict[str, object]) -> dict[str, object]:
        wrong = [name for name in variables if not name.isidentifier()]
        if wrong:
            raise ValueError(f"{', '.join(wrong)}: not a name that a template can have")
        return variables


class DataConfig(BaseModel):
    """What is read from the shards and how a document becomes tokens.

    A resumed run may change ``weights``, ``max_repeats``, ``weight_unit``, ``sources``, ``kinds``, ``order`` and the
    list of ``shards``: the plan then begins anew after the step, without what was learned from in the pass.
    """

    model_config = FROZEN

    shards: tuple[str, ...] = Field(min_length=1)
    """Folders or fsspec URLs of finished shard sets, read as one in this order. One string is a list of one."""
    kinds: Annotated[frozenset[Kind] | None, _SORTED] = None
    """Only documents of these kinds; null takes all."""
    sources: Annotated[frozenset[str] | None, _SORTED] = None
    """Only documents of these sources; null takes all."""
    order: Literal["stored", "shuffled", "blocks"] = "stored"
    """``stored`` keeps the blended order of the shards; ``shuffled`` is a seeded permutation of each epoch; ``blocks``
    shuffles inside blocks of ``block_shards``, in an order of the epoch's own, so that a run reads few shards at a
    time: for sets whose samples are mixed already (those of ``curate build``), on object stores and with a cache."""
    block_shards: int = Field(8, ge=1)
    """Of ``order: blocks``: shards whose samples are shuffled together."""
    seed: int = Field(0, ge=0)
    """Of the orders that shuffle."""
    weights: dict[str, Weight] = Field(default_factory=dict)
    """Share of each source or kind, see ``curate.blend.weights``; a source's own name goes before its kind, and what no
    weight covers is left out. A weight may change along the run: ``{0: 0.2, 10B: 0.5}`` (amounts drawn, in
    ``weight_unit``). Empty: the sets are read as they are."""
    max_repeats: dict[str, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    """Times that an epoch may use each document of an entry of ``weights``, such as ``{captions: 4}``; the others: 1.
    An epoch ends when the first entry has run out."""
    max_unused: Share = 0.05
    """Of the documents that are selected, held-out ones aside: more that a run would not use is an error before the
    first step."""
    weight_unit: Literal["samples", "tokens"] = "tokens"
    """What weights count; tokens as the model sees them, images included."""
    validation_share: float = Field(0.0, ge=0.0, lt=1.0)
    """Of the documents, held out by a hash of their id: the same ones in every set, stage and run."""
    placement: Literal["natural", "matched"] = "natural"
    """Where images stand: as on the page, or directly before the text that matches them (MMC4, VILA)."""
    max_images: int | None = Field(None, ge=0)
    """Images per document, those with the best similarity; null keeps all (VILA keeps the first 6 of the list)."""
    text_separator: str = " "
    """Between items (VILA joins sentences by a space)."""
    labels: Literal["all", "assistant"] = "all"
    """Tokens with loss: all text (pre-training), or the assistant's turns (supervised fine-tuning)."""
    long_documents: LongDocuments | None = None
    """A document longer than a sequence becomes several at item borders (``split``), of which those behind the first
    with an image may be left out (``with_images``: no answer without the picture that it speaks of), or it loses its
    tail (``truncate``). Null: ``with_images`` where the assistant's turns are learned, else ``split``."""
    chat: ChatConfig = ChatConfig()
    exclude: str | None = None
    """A file with documents to go without, a doc_id a line; other documents take their places. Lines of
    ``metrics.jsonl`` that name steps which were not finite may stand in it as they are."""

    @field_validator("weights", mode="before")
    @classmethod
    def _name_places(cls, weights: object) -> object:
        return name_places(weights)

    @field_validator("weights")
    @classmethod
    def _check_weights(cls, weights: dict[str, Weight]) -> dict[str, Weight]:
        check_weights(weights)
        return weights

    @property
    def cut(self) -> LongDocuments:
        """``long_documents``, resolved."""
        return self.long_documents or ("with_images" if self.labels == "assistant" else "split")

    @model_validator(mode="before")
    @classmethod
    def _accept_one_folder(cls, data: object) -> object:
        if isinstance(data, dict) and isinstance(data.get("shards"), str):
            return data | {"shards": (data["shards"],)}
        return data


class PackConfig(BaseModel):
    """How documents share sequences."""

    model_config = FROZEN

    seq_length: int = Field(ge=16)
    """Tokens per pack, image tokens included."""
    window: int = Field(3072, ge=1)
    """Samples that join those that wait, and are packed together."""
    age_limit: int = Field(8, ge=1, le=63)
    """Windows that a sample may wait."""
    max_carry: int = Field(512, ge=0, le=512)
    """Samples that may wait at once: it keeps the resume state under 4 KB."""
    max_images: int | None = Field(None, ge=1)
    """Images per pack; null leaves it to ``seq_length``."""


class OptimConfig(BaseModel):
    """Optimiser, schedule and batch. AdamW with a linear warm-up, and by default a cosine to zero.

    A resumed run may change ``lr``, the rates of ``module_lr``, the schedule with its figures, ``weight_decay``,
    ``clip_norm`` and the number of ``max_steps``.
    """

    model_config = FROZEN

    lr: float = Field(gt=0)
    """Peak learning rate."""
    module_lr: dict[Module, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    """Peak rate of single modules instead, such as ``{vision: 2.0e-6}``; all follow one schedule."""
    global_batch: int = Field(ge=1)
    """Packs per optimiser step, over all ranks."""
    micro_batch: int = Field(1, ge=1)
    """Packs per forward pass and rank; the rest of ``global_batch`` is accumulated."""
    epochs: int = Field(1, ge=1)
    """Passes over the data (VILA: 1)."""
    max_steps: int | None = Field(None, ge=1)
    """Exactly this many steps instead, over as many epochs as that takes."""
    schedule: Schedule = "cosine"
    """After the warm-up: half a cosine (VILA's scripts), a line, or no fall; ``wsd`` stays at the peak and falls along
    a line at the end (MiniCPM, arXiv 2404.06395), so that a run may be made longer before it falls."""
    warmup_ratio: Share = 0.03
    """Share of the steps that warm up (VILA's scripts)."""
    warmup_steps: int | None = Field(None, ge=0)
    """Steps that warm up, instead: the same ones when the number of steps changes."""
    decay_ratio: Share = 0.1
    """Share of the steps in which ``wsd`` falls (MiniCPM)."""
    min_lr_ratio: Share = 0.0
    """Share of the peak that the rate falls to."""
    weight_decay: float = Field(0.0, ge=0)
    """Of matrices, never of norms and biases (VILA's scripts: 0)."""
    betas: tuple[Share, Share] = (0.9, 0.999)
    """AdamW's (Hugging Face Trainer)."""
    eps: float = Field(1e-8, gt=0)
    """AdamW's (Hugging Face Trainer)."""
    clip_norm: float | None = Field(1.0, gt=0)
    """Largest gradient norm (Hugging Face Trainer); null does not clip."""

    @model_validator(mode="after")
    def _check_batch(self) -> Self:
        if self.global_batch % self.micro_batch:
            raise ValueError(f"global_batch {self.global_batch} is not a multiple of micro_batch {self.micro_batch}")
        return self


class TaskConfig(BaseModel):
    """Questions with known answers that are asked while a stage trains; see ``train_bridge.tasks``."""

    model_config = FROZEN

    shards: tuple[str, ...] = Field(min_length=1)
    """Shard sets that hold them; not those that are learned from."""
    task: Literal["caption", "vqa", "choice"]
    shots: tuple[Annotated[int, Field(ge=0)], ...] = (0, 4)
    """Examples before a question, asked in turn (VILA's tables: 0 and 4)."""
    form: Literal["plain", "chat"] = "plain"
    """How a prompt is written: as pre-training writes documents, or by the chat template."""
    limit: int = Field(100, ge=1)
    """Questions, the first of the sets."""
    num_support: int = Field(400, ge=0)
    """Examples behind them that are shots too."""
    max_new_tokens: int = Field(32, ge=1)
    seed: int = Field(0, ge=0)
    """Of the shots."""


class RunConfig(BaseModel):
    """How the stage runs. Nothing here changes what is learned, but for rounding and ``seed``."""

    model_config = FROZEN

    seed: int = Field(0, ge=0)
    """Of random weights and of dropout."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Of the computation; weights and optimiser are fp32. ``auto``: bf16 on CUDA, fp32 on the CPU."""
    gradient_checkpointing: bool = True
    """Recompute activations instead of keeping them (VILA's scripts)."""
    attention: Literal["auto", "mask", "flex", "segments"] = "auto"
    """How packed samples are kept apart: a boolean mask of four dimensions; flex attention's block mask, which skips
    what no sample sees; or a call per sample. ``auto``: flex on CUDA, segments on the CPU."""
    compile: bool = False
    """Compile each layer with ``torch.compile``: slower to start, faster per step on a GPU."""
    read_patience_s: int = Field(300, ge=0)
    """Seconds that a read is tried again, with growing waits, when storage refuses it or does not answer; then the run
    saves and ends. What is there and is corrupt is skipped at once."""
    max_skipped_share: Share = 0.01
    """Of the samples so far: more that cannot be read or used, and at least 100, end the run, saved."""
    max_not_finite: int = Field(5, ge=0)
    """Steps with a loss or gradient that is not finite that are left out, each named; one more ends the run, saved."""
    num_workers: int = Field(4, ge=0)
    """DataLoader processes per rank (VILA's scripts: 4); 0 reads in threads of the rank itself."""
    shard_cache: ShardCacheConfig | None = None
    """Keep shards of remote sets on a local disk: later epochs then read from there."""
    read_ahead: int | None = Field(None, ge=1)
    """Samples in flight per DataLoader process; null: 8 from a local disk, 64 from an object store, where most of them
    wait for an answer."""
    checkpoint_every: int = Field(500, ge=1)
    """Steps between checkpoints; the last step always writes one."""
    keep_checkpoints: int = Field(2, ge=1)
    """Newest checkpoints that are kept, counted apart for those made while samples were lost or steps left out."""
    keep_every: int | None = Field(None, ge=1)
    """Steps of which every multiple's checkpoint is kept for good."""
    eval_every: int | None = Field(None, ge=1)
    """Steps between looks at the loss of the documents that ``data.validation_share`` holds out, and at ``tasks``; also
    after the last step. Null: never."""
    tasks: dict[str, TaskConfig] = Field(default_factory=dict)
    """Few-shot tasks by name, such as ``{vqa: {shards: [runs/vqa/shards/main], task: vqa}}``."""
    log_every: int = Field(1, ge=1)
    """Steps between lines of metrics."""
    log_packs: bool = False
    """Also write which packs each step learned from, with a checksum of their labels: an audit of a run."""
    peer_timeout_s: int = Field(1800, ge=1)
    """Seconds that a rank waits for the others in a step before it gives up; who counts tokens or reads a model before
    the first step is waited for without end. A rank that does not move for 300 s is named."""
    tensorboard: bool = True
    """Also write TensorBoard files."""
    cache_dir: str | None = None
    """Where token lengths are kept between runs; null is ``OUTPUT/cache``."""


class StageConfig(BaseModel):
    """One training stage."""

    model_config = FROZEN

    output: str
    """Folder of checkpoints, metrics and the exported model."""
    init_from: str | None = None
    """Exported folder of an earlier stage (or any LLaVA folder); then ``model`` names no weights."""
    model: ModelConfig
    data: DataConfig
    pack: PackConfig
    optim: OptimConfig
    run: RunConfig = RunConfig()

    @model_validator(mode="after")
    def _check_one_origin(self) -> Self:
        model = self.model
        parts = (model.vision is not None, model.llm is not None)
        origins = (self.init_from is not None, model.tiny is not None, any(parts))
        if sum(origins) != 1 or any(parts) != all(parts):
            raise ValueError(
                "model: weights come from exactly one of: init_from; model.tiny; model.vision and model.llm"
            )
        return self

    @model_validator(mode="after")
    def _check_held_out(self) -> Self:
        if self.run.eval_every is not None and not self.data.validation_share and not self.run.tasks:
            raise ValueError("run.eval_every: data.validation_share holds nothing out, and there are no run.tasks")
        if self.run.tasks and self.run.eval_every is None:
            raise ValueError("run.tasks: run.eval_every says how often they are asked")
        return self

    @property
    def cache_dir(self) -> str:
        """Folder of the token lengths."""
        return self.run.cache_dir or f"{self.output}/cache"
