import io
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from transformers import LlavaProcessor

from tests.train_bridge.checkpoints.folders import IMAGE_PX, write_vila
from tests.train_bridge.checkpoints.test_vila_folders import LITE, NVILA
from tests.train_bridge.conftest import TOKENS_PER_IMAGE, jpeg, stage_config
from train_bridge.model.processor import build_processor, tokens_per_image
from train_bridge.model.prompt_inputs import is_cut, prompt_inputs
from train_bridge.tasks.answerer import load_answerer


def picture(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(buffer, "PNG")
    return buffer.getvalue()


def test_a_plain_processor_needs_none_of_it(processor: LlavaProcessor) -> None:
    assert not is_cut(processor.image_processor)
    inputs = prompt_inputs(processor, "<image>\nWhat?", [jpeg("red")], has_begin=False)
    with Image.open(io.BytesIO(jpeg("red"))) as image:
        theirs = processor(text="<image>\nWhat?", images=[image], return_tensors="pt")
    assert torch.equal(inputs["input_ids"], theirs["input_ids"])
    assert (inputs["input_ids"] == processor.image_token_id).sum() == TOKENS_PER_IMAGE
    assert inputs["pixel_values"].shape == theirs["pixel_values"].shape


@pytest.mark.parametrize(
    ("changes", "size", "crops", "places"), [(NVILA, (90, 30), 1 + 4 + 12, 12), (LITE, (60, 30), 3, 3)]
)
def test_crops_and_line_breaks_are_those_of_training(
    shard_folder: str, tmp_path: Path, changes: dict[str, Any], size: tuple[int, int], crops: int, places: int
) -> None:
    write_vila(tmp_path / "model", **changes)
    config = stage_config(shard_folder, tmp_path, model={"tiny": None}, init_from=str(tmp_path / "model"))
    built = build_processor(config)
    assert is_cut(built.image_processor)
    inputs = prompt_inputs(built, "<image>\nWhat?", [picture(*size)], has_begin=False)
    assert inputs["pixel_values"].shape == (crops, 3, IMAGE_PX, IMAGE_PX)
    ids = inputs["input_ids"][0].tolist()
    assert ids.count(built.image_token_id) == places * tokens_per_image(built)
    newline = built.tokenizer.encode("\n", add_special_tokens=False)
    tail = built.tokenizer.encode("What?", add_special_tokens=False)
    assert ids[-len(tail) :] == tail
    assert ids.count(newline[0]) == (1 if changes is NVILA else 2 * places)
    assert ("image_sizes" in inputs) is (changes is NVILA)
    answerer = load_answerer(config)
    answer = answerer.answer("<image>\nWhat?", [picture(*size)], max_new_tokens=2)
    assert answer == answerer.answer("<image>\nWhat?", [picture(*size)], max_new_tokens=2)
