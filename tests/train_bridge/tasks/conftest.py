"""A tiny model as an exported folder, and shards of captions, questions about images and multiple choice."""

from pathlib import Path

import pytest
from transformers import LlavaProcessor

from shards.sample import Sample, SampleText
from tests.train_bridge.conftest import COLOURS, image_item, stage_config, write_set
from train_bridge.model.llava import build_model
from train_bridge.tasks.answerer import Answerer
from train_bridge.training.export import export_model
from train_bridge.training.ranks import joined_ranks


def caption(number: int) -> Sample:
    colour = COLOURS[number % 4]
    items = (image_item(colour), SampleText(f"a {colour} field"), SampleText(f"nothing but {colour}"))
    return Sample(doc_id=f"caption{number}", kind="pair", source="captions", url=None, items=items)


def question(number: int) -> Sample:
    colour = COLOURS[number % 4]
    items = (image_item(colour), SampleText("Which colour?", "user"), SampleText(colour, "assistant"))
    meta = {"answers": [colour, f"It is {colour}"]} if number % 2 else {}
    return Sample(doc_id=f"vqa{number}", kind="pair", source="vqa", url=None, items=items, meta=meta)


def choice(number: int) -> Sample:
    items = (SampleText(f"What follows {number}?", "user"), SampleText(str(number + 1), "assistant"))
    meta = {"choices": f'["{number + 1}", "none"]', "label": 0} if number % 2 else {}
    return Sample(doc_id=f"choice{number}", kind="text", source="sums", url=None, items=items, meta=meta)


@pytest.fixture(scope="session")
def questions_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    samples = [make(number) for number in range(8) for make in (caption, question, choice)]
    return write_set(tmp_path_factory.mktemp("questions") / "set", samples)


@pytest.fixture(scope="session")
def exported(shard_folder: str, processor: LlavaProcessor, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("exported")
    model = build_model(stage_config(shard_folder, folder), processor=processor)
    with joined_ranks() as ranks:
        export_model(str(folder / "final"), model=model, processor=processor, ranks=ranks)
    return str(folder / "final")


@pytest.fixture
def answerer(shard_folder: str, processor: LlavaProcessor, tmp_path: Path) -> Answerer:
    return Answerer(build_model(stage_config(shard_folder, tmp_path), processor=processor), processor)
