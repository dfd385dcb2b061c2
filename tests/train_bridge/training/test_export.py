from pathlib import Path

import pytest
import torch
from PIL import Image
from transformers import (
    AutoModelForImageTextToText,
    AutoProcessor,
    GenerationConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
)

from curate.contract.errors import CurateError
from tests.train_bridge.conftest import stage_config
from train_bridge.model.llava import build_model, set_stop
from train_bridge.model.processor import build_processor
from train_bridge.training.export import export_model
from train_bridge.training.ranks import joined_ranks


@pytest.mark.parametrize("projector", ["linear", "mlp", "mlp_downsample"])
def test_plain_transformers_loads_it_and_answers_about_two_images(
    shard_folder: str, tmp_path: Path, projector: str
) -> None:
    config = stage_config(shard_folder, tmp_path, model={"projector": projector})
    processor = build_processor(config)
    model = build_model(config, processor=processor)
    (tmp_path / "final").mkdir()
    (tmp_path / "final" / "old.txt").touch()
    with joined_ranks() as ranks:
        export_model(str(tmp_path / "final"), model=model, processor=processor, ranks=ranks)
    assert not (tmp_path / "final" / "old.txt").exists()
    carries_code = projector == "mlp_downsample"
    assert (tmp_path / "final" / "vila_llava.py").exists() is carries_code
    loaded = AutoModelForImageTextToText.from_pretrained(tmp_path / "final", trust_remote_code=carries_code)
    weights = model.state_dict()
    assert all(torch.equal(weight, weights[name]) for name, weight in loaded.state_dict().items())
    reader = AutoProcessor.from_pretrained(tmp_path / "final")
    content = [{"type": "image"}, {"type": "image"}, {"type": "text", "text": "Which is red?"}]
    prompt = reader.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
    images = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
    inputs = reader(text=prompt, images=images, return_tensors="pt", add_special_tokens=False)
    answer = loaded.generate(**inputs, max_new_tokens=3, do_sample=False)
    assert answer.shape[1] == inputs["input_ids"].shape[1] + 3


def test_tied_embeddings_stay_tied(shard_folder: str, processor: LlavaProcessor, tmp_path: Path) -> None:
    model = build_model(stage_config(shard_folder, tmp_path), processor=processor)
    model.config.tie_word_embeddings = True
    model.tie_weights()
    with joined_ranks() as ranks:
        export_model(str(tmp_path / "final"), model=model, processor=processor, ranks=ranks)
    loaded = LlavaForConditionalGeneration.from_pretrained(tmp_path / "final")
    assert loaded.lm_head.weight is loaded.model.language_model.embed_tokens.weight
    assert torch.equal(loaded.lm_head.weight, model.lm_head.weight)


def test_weights_that_the_plain_class_has_not_are_refused(
    shard_folder: str, processor: LlavaProcessor, tmp_path: Path
) -> None:
    model = build_model(stage_config(shard_folder, tmp_path), processor=processor)
    model.model.multi_modal_projector.extra = torch.nn.Linear(2, 2)
    with joined_ranks() as ranks, pytest.raises(CurateError, match=r"these weights: .*projector\.extra\.bias"):
        export_model(str(tmp_path / "final"), model=model, processor=processor, ranks=ranks)
    assert not (tmp_path / "final").exists()


@pytest.mark.parametrize(("stop_ids", "stored"), [((1,), 1), ((2, 1), [2, 1])])
def test_what_ends_an_answer_is_what_servers_stop_at(
    shard_folder: str, processor: LlavaProcessor, tmp_path: Path, stop_ids: tuple[int, ...], stored: object
) -> None:
    model = build_model(stage_config(shard_folder, tmp_path), processor=processor)
    set_stop(model, stop_ids)
    with joined_ranks() as ranks:
        export_model(str(tmp_path / "final"), model=model, processor=processor, ranks=ranks)
    assert GenerationConfig.from_pretrained(tmp_path / "final").eos_token_id == stored
