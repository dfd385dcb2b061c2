from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from transformers import AutoModelForImageTextToText, AutoProcessor

from tests.train_bridge.conftest import stage_config
from train_bridge.families import measure
from train_bridge.families.language import LANGUAGES
from train_bridge.families.measure import NO, YES, Found, measure_language, measure_vision
from train_bridge.families.vision import towers
from train_bridge.model.llava import build_model
from train_bridge.model.processor import build_processor
from train_bridge.training.ranks import joined_ranks


def found_of(name: str, folder: Path, **options: Any) -> Found:
    row = next(row for row in LANGUAGES if row.name == name)
    with joined_ranks() as ranks:
        return measure_language(row, tower=towers()[0], folder=folder, ranks=ranks, **options)


def test_a_family_that_fits_does_all(tmp_path: Path) -> None:
    found = found_of("Mistral v0.1", tmp_path)
    assert found == Found(
        assembles=YES, logits=YES, packed=YES, exports=YES, serves=YES, gradients=YES, tokens=9, refused=""
    )


def test_one_that_does_not_says_why_without_folders_and_figures(tmp_path: Path) -> None:
    found = found_of("LFM2", tmp_path)
    assert (found.assembles, found.logits) == (NO, "-")
    assert found.refused.startswith("llm: in a pack (run.attention: mask) a language model of type lfm2 gives other")
    assert "apart" not in found.refused


@pytest.mark.parametrize(
    ("language", "vision"), [("Phi-1.5, Phi-2", "DINOv2 with registers"), ("Qwen3", "InternViT (internvl_vision)")]
)
def test_the_next_stage_begins_from_the_folder(tmp_path: Path, language: str, vision: str) -> None:
    tower = next(row for row in towers() if row.name == vision)
    row = next(row for row in LANGUAGES if row.name == language)
    with joined_ranks() as ranks:
        measure_language(row, tower=tower, folder=tmp_path, ranks=ranks)
    config = stage_config(str(tmp_path), tmp_path, model={"tiny": None}, init_from=str(tmp_path / "final"))
    model = build_model(config, processor=build_processor(config))
    weights = load_file(tmp_path / "final/model.safetensors")
    head = next(value for name, value in weights.items() if name.endswith("lm_head.weight"))
    assert torch.equal(model.lm_head.weight, head)


def test_registers_are_no_tokens_of_an_image(tmp_path: Path) -> None:
    with joined_ranks() as ranks:
        row = next(row for row in towers() if row.name == "DINOv2 with registers")
        found = measure_vision(row, language=LANGUAGES[0], folder=tmp_path, ranks=ranks)
    assert (found.assembles, found.tokens, found.serves) == ("own class", 16, NO)
    model = AutoModelForImageTextToText.from_pretrained(tmp_path / "final", trust_remote_code=True)
    processor = AutoProcessor.from_pretrained(tmp_path / "final")
    inputs = processor(text="<image> a", images=Image.new("RGB", (50, 40)), return_tensors="pt")
    assert int((inputs["input_ids"] == processor.image_token_id).sum()) == 16
    assert model(**inputs).logits.isfinite().all()


def test_what_differs_is_not_the_same() -> None:
    one = torch.tensor([1.0, -2.0])
    assert measure._same(one, one + 1e-5) == YES
    assert measure._same(one, one * 1.01) == NO
    assert measure._same(one * float("nan"), one) == NO


@pytest.mark.slow  # kernels of flex attention are compiled
@pytest.mark.parametrize("name", ["Mistral v0.1", "Gemma 2", "Llama 4 (text)"])
def test_flex_attention_knows_windows_chunks_and_caps(name: str, tmp_path: Path) -> None:
    assert found_of(name, tmp_path, forms=("flex",)).packed == YES
