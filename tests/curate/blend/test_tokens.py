import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from curate.blend.tokens import TOKEN_COUNTS, count_tokens, parse_tokenizer, read_tokenizer_file, tokenizer_digest
from curate.contract.errors import BlendError
from curate.contract.schemas import ITEMS, table_from_rows


def word_tokenizer() -> Tokenizer:
    """Return one that would add a begin token, cut at two tokens and pad."""
    tokenizer = Tokenizer(WordLevel({"[UNK]": 0, "<s>": 1, "a": 2}, unk_token="[UNK]"))  # noqa: S106 - no password
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    tokenizer.enable_truncation(2)
    tokenizer.enable_padding(length=9)
    return tokenizer


def test_texts_are_counted_per_document_without_special_tokens_cutting_or_padding() -> None:
    items = table_from_rows(
        [
            {"doc_id": "b", "position": 0, "modality": "text", "text": "a b c d"},
            {"doc_id": "b", "position": 1, "modality": "image", "image_url": "http://h/1.jpg"},
            {"doc_id": "b", "position": 2, "modality": "text", "text": "e"},
            {"doc_id": "bare", "position": 0, "modality": "image", "image_url": "http://h/2.jpg"},
            {"doc_id": "a", "position": 0, "modality": "text", "text": ""},
        ],
        ITEMS,
    )
    counts = count_tokens(items, parse_tokenizer(word_tokenizer().to_str()))
    assert counts.schema.equals(TOKEN_COUNTS)
    assert counts.to_pylist() == [{"doc_id": "b", "num_tokens": 5}, {"doc_id": "a", "num_tokens": 0}]


def test_no_items_have_no_counts() -> None:
    assert count_tokens(ITEMS.empty_table(), parse_tokenizer(word_tokenizer().to_str())).num_rows == 0


def test_a_folder_is_found_below_the_base(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    text = word_tokenizer().to_str()
    (tmp_path / "own" / "tokenizer.json").write_text(text)
    assert read_tokenizer_file("own", base=str(tmp_path)) == text
    assert tokenizer_digest(text) == tokenizer_digest(read_tokenizer_file(str(tmp_path / "own")))


def test_a_folder_without_a_tokenizer_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BlendError, match=r"has no tokenizer.json"):
        read_tokenizer_file(str(tmp_path))


def test_a_name_that_no_hub_can_have_is_an_error() -> None:
    with pytest.raises(BlendError, match=r"blend.tokenizer: no/such/folder is no folder"):
        read_tokenizer_file("no/such/folder")


@pytest.mark.parametrize(
    ("text", "fault"), [("{", "not JSON"), ("[]", "no model"), (json.dumps({"model": 1}), "no model")]
)
def test_other_files_are_no_tokenizers(text: str, fault: str) -> None:
    with pytest.raises(BlendError, match=fault):
        parse_tokenizer(text)
