from pathlib import Path

import pytest
from transformers import AutoProcessor, LlavaProcessor

from curate.contract.errors import ShardError
from tests.train_bridge.conftest import TINY
from train_bridge.model.tiny_model import build_tiny_processor, shard_texts, tiny_configs, train_tokenizer


def test_the_tokenizer_writes_any_text_and_reads_it_back() -> None:
    tokenizer = train_tokenizer(["one two three"] * 3, vocab_size=300)
    text = "Naïve café: 図 🎈\n\ttabs"
    assert tokenizer.decode(tokenizer(text, add_special_tokens=False).input_ids) == text
    assert tokenizer("a").input_ids[0] == tokenizer.bos_token_id


def test_the_same_texts_give_the_same_tokenizer(shard_folder: str) -> None:
    one, other = (
        train_tokenizer(shard_texts([shard_folder], num_samples=48), vocab_size=320).backend_tokenizer.to_str()
        for _ in range(2)
    )
    assert one == other


def test_texts_come_from_the_first_samples_of_all_sets(shard_folder: str) -> None:
    texts = list(shard_texts([shard_folder, shard_folder], num_samples=50))
    assert len(texts) == 16 * (1 + 2 + 2) + (1 + 2)
    assert texts[0] == "A red field number 0."


def test_a_missing_set(tmp_path: Path) -> None:
    with pytest.raises(ShardError, match=r"index\.parquet"):
        list(shard_texts([str(tmp_path)], num_samples=1))


def test_the_processor_is_a_plain_folder(processor: LlavaProcessor, tmp_path: Path) -> None:
    processor.save_pretrained(tmp_path)
    loaded = AutoProcessor.from_pretrained(tmp_path)
    assert isinstance(loaded, LlavaProcessor)
    assert loaded.tokenizer.backend_tokenizer.to_str() == processor.tokenizer.backend_tokenizer.to_str()
    assert loaded.chat_template == processor.chat_template == loaded.tokenizer.chat_template


def test_sizes_are_those_asked_for() -> None:
    processor = build_tiny_processor(TINY, texts=["a b c"])
    vision, text = tiny_configs(TINY, vocab_size=len(processor.tokenizer))
    assert (vision.hidden_size, vision.image_size, vision.patch_size) == (32, 16, 8)
    assert (text.hidden_size, text.num_hidden_layers, text.vocab_size) == (32, 2, len(processor.tokenizer))
