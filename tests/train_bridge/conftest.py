"""A shard set of 48 small samples and the processor of a tiny model, made once."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    LlamaConfig,
    LlamaForCausalLM,
    LlavaProcessor,
    PreTrainedTokenizerFast,
    SiglipConfig,
    SiglipImageProcessor,
    SiglipModel,
)

from shards.reader import INDEX_NAME
from shards.sample import Sample, SampleImage, SampleText
from shards.writer import write_shard
from train_bridge.config import StageConfig
from train_bridge.data.dataset import DatasetSpec
from train_bridge.data.lengths import count_lengths
from train_bridge.model.image_modes import image_form
from train_bridge.model.tiny_model import build_tiny_processor, shard_texts
from train_bridge.model_config import TinyConfig
from train_bridge.packing.plan import PlanSettings
from train_bridge.packing.split import Capacity
from train_bridge.tokens.encoder import TextEncoder, TextForm

TINY = TinyConfig(
    vocab_size=320,
    hidden_size=32,
    num_layers=2,
    vision_hidden_size=32,
    vision_num_layers=2,
    image_size=16,
    patch_size=8,
)
TOKENS_PER_IMAGE = 4
COLOURS = ("red", "green", "blue", "gray")


def jpeg(colour: str, *, mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (24, 20), colour).convert(mode).save(buffer, "JPEG")
    return buffer.getvalue()


def image_item(colour: str, **fields: Any) -> SampleImage:
    return SampleImage(data=jpeg(colour), image_id=colour, url=None, width=24, height=20, **fields)


def make_sample(number: int) -> Sample:
    colour, other = COLOURS[number % 4], COLOURS[(number + 1) % 4]
    caption = SampleText(f"A {colour} field number {number}.")
    items: Sequence[SampleText | SampleImage]
    if number % 3 == 0:
        kind, source, items = "pair", "captions", [image_item(colour), caption]
    elif number % 3 == 1:
        question, answer = SampleText("Which colour is it?", "user"), SampleText(f"It is {colour}.", "assistant")
        kind, source, items = "text", "chat", [question, answer]
    else:
        other_text = SampleText(f"Then a field of {other} follows, which is larger than the one before it.")
        kind, source = "interleaved", "pages"
        items = [caption, image_item(colour, matched_item=0), other_text, image_item(other, matched_item=2)]
    return Sample(doc_id=f"{number:016x}", kind=kind, source=source, url=None, items=items)


def write_set(folder: Path, samples: Sequence[Sample]) -> str:
    folder.mkdir(parents=True)
    result = write_shard(f"{folder}/00000.tar", samples, shard=0)
    pq.write_table(result.index, folder / INDEX_NAME)
    return str(folder)


@pytest.fixture(scope="session")
def shard_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_set(tmp_path_factory.mktemp("set") / "main", [make_sample(number) for number in range(48)])


@pytest.fixture(scope="session")
def pair_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a set of 24 pairs."""
    return write_set(tmp_path_factory.mktemp("pairs") / "main", [make_sample(3 * number) for number in range(24)])


@pytest.fixture(scope="session")
def processor(shard_folder: str) -> LlavaProcessor:
    return build_tiny_processor(TINY, texts=shard_texts([shard_folder], num_samples=100))


@pytest.fixture
def encoder(processor: LlavaProcessor) -> TextEncoder:
    return TextEncoder(processor.tokenizer, form=TextForm())


@pytest.fixture(scope="session")
def spec(shard_folder: str, processor: LlavaProcessor, tmp_path_factory: pytest.TempPathFactory) -> DatasetSpec:
    folder = tmp_path_factory.mktemp("spec")
    processor.save_pretrained(folder / "processor")
    encoder = TextEncoder(processor.tokenizer, form=TextForm())
    return DatasetSpec(
        folders=(shard_folder,),
        length_paths=(count_lengths(shard_folder, encoder=encoder, cache_dir=str(folder)),),
        processor_folder=str(folder / "processor"),
        image_form=image_form(processor.image_processor),
        image_mark=processor.image_token,
        text_form=TextForm(),
        plan=PlanSettings(
            capacity=Capacity(seq_length=64, tokens_per_image=TOKENS_PER_IMAGE, has_bos=True),
            order="shuffled",
            window=16,
        ),
        num_epochs=1,
    )


def stage_config(shard_folder: str, output: Path, **changes: Any) -> StageConfig:
    """Return a stage that trains in well under a second per step; ``changes`` are sections to merge."""
    content: dict[str, Any] = {
        "output": str(output),
        "model": {"tiny": TINY.model_dump()},
        "data": {"shards": shard_folder},
        "pack": {"seq_length": 64, "window": 16},
        "optim": {"lr": 3e-3, "global_batch": 2, "max_steps": 4},
        "run": {"num_workers": 0, "gradient_checkpointing": False, "checkpoint_every": 2, "tensorboard": False},
    }
    for section, values in changes.items():
        content[section] = content[section] | values if isinstance(content.get(section), dict) else values
    return StageConfig.model_validate(content)


@pytest.fixture(scope="session")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Folders of pre-trained towers, as a hub would give them; the tokenizer knows no images yet."""
    folder = tmp_path_factory.mktemp("parts")
    layers = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = layers | {"vocab_size": 320, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2}
    vision = layers | {"image_size": 16, "patch_size": 8}
    side = {"height": 16, "width": 16}
    torch.manual_seed(0)
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision)).save_pretrained(folder / "clip")
    CLIPImageProcessor(size={"shortest_edge": 16}, crop_size=side).save_pretrained(folder / "clip")
    SiglipModel(SiglipConfig(text_config=text, vision_config=vision)).save_pretrained(folder / "siglip")
    SiglipImageProcessor(size=side).save_pretrained(folder / "siglip")
    LlamaForCausalLM(LlamaConfig(**text)).save_pretrained(folder / "llm")
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    marks = {"bos_token": "<s>", "eos_token": "</s>"}
    trainer = trainers.BpeTrainer(special_tokens=[*marks.values()], initial_alphabet=alphabet, show_progress=False)
    backend.train_from_iterator([], trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, **marks)
    tokenizer.save_pretrained(folder / "llm")
    return {name: str(folder / name) for name in ("clip", "siglip", "llm")}
