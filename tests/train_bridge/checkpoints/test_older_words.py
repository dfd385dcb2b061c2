import json
from pathlib import Path

from transformers import LlamaConfig, LlavaProcessor

from train_bridge.checkpoints.older_words import soften_processor, soften_tokenizer, with_older_words, write_json


def test_a_rope_is_said_in_both_ways() -> None:
    plain = with_older_words(LlamaConfig(rope_parameters={"rope_theta": 5e5, "rope_type": "default"}).to_dict())
    assert (plain["rope_theta"], plain["rope_scaling"]) == (5e5, None)
    assert plain["rope_parameters"]["rope_theta"] == 5e5
    scaled = {"rope_theta": 5e5, "rope_type": "llama3", "factor": 8.0}
    found = with_older_words({"rope_parameters": scaled}, dtype="bfloat16")
    assert found["rope_scaling"] == {"rope_type": "llama3", "factor": 8.0}
    assert found["dtype"] == found["torch_dtype"] == "bfloat16"
    assert with_older_words({"hidden_size": 3}) == {"hidden_size": 3}


def test_a_saved_processor_is_softened_in_place(processor: LlavaProcessor, tmp_path: Path) -> None:
    processor.save_pretrained(tmp_path)
    soften_tokenizer(tmp_path)
    soften_processor(tmp_path)
    tokenizer = json.loads((tmp_path / "tokenizer_config.json").read_text())
    assert tokenizer["additional_special_tokens"] == ["<image>"]
    assert "extra_special_tokens" not in tokenizer
    loaded = LlavaProcessor.from_pretrained(tmp_path)
    assert loaded.image_token_id == processor.image_token_id
    assert loaded.image_processor.to_dict() == processor.image_processor.to_dict()
    images = json.loads((tmp_path / "preprocessor_config.json").read_text())
    assert images["image_processor_type"] == "CLIPImageProcessorFast"  # the slow one of 4.57 gives other pixels
    assert loaded.tokenizer("a <image> b").input_ids == processor.tokenizer("a <image> b").input_ids


def test_json_is_written_in_order(tmp_path: Path) -> None:
    write_json(tmp_path / "new" / "a.json", {"b": 1, "a": None})
    assert (tmp_path / "new" / "a.json").read_text() == '{\n  "a": null,\n  "b": 1\n}\n'
