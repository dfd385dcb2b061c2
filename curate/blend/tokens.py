"""Counts the tokens of documents' texts with a Hugging Face tokenizer.

A text is counted as it stands, without special tokens and without what a trainer writes between texts; images count
separately. Only the file ``tokenizer.json`` is needed, so no model library is loaded.
"""

import hashlib
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from tokenizers import Tokenizer

from curate.contract.errors import BlendError
from curate.contract.reasons import Modality

TOKENIZER_FILE = "tokenizer.json"

TOKEN_COUNTS = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("num_tokens", pa.int64(), nullable=False),  # of all its texts together; documents without text: none
    ]
)


def read_tokenizer_file(name: str, *, base: str = ".") -> str:
    """Return the text of a tokenizer's file.

    Args:
        name: A folder with ``tokenizer.json``, below ``base`` or the working folder, or a name on the hub.
        base: Where relative paths start.

    Raises:
        BlendError: Neither a folder with a tokenizer nor a name that the hub gives one for.
    """
    for folder in (Path(base, name), Path(name)):
        if folder.is_dir():
            path = folder / TOKENIZER_FILE
            if not path.is_file():
                raise BlendError(
                    f"blend.tokenizer: {folder} has no {TOKENIZER_FILE} (save the tokenizer's fast version)"
                )
            return path.read_text(encoding="utf-8")
    from huggingface_hub import hf_hub_download  # noqa: PLC0415 - only for names that are no folders

    try:
        return Path(hf_hub_download(name, TOKENIZER_FILE)).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:  # covers the hub's errors and names that it does not accept
        cause = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BlendError(f"blend.tokenizer: {name} is no folder, and the hub does not give it ({cause})") from error


def parse_tokenizer(text: str) -> Tokenizer:
    """Return the tokenizer that a ``tokenizer.json`` describes; it neither cuts nor pads.

    Raises:
        BlendError: The text is not that of a tokenizer.
    """
    try:
        described = json.loads(text)
    except ValueError as error:
        raise BlendError(f"blend.tokenizer: {TOKENIZER_FILE} is not JSON ({error})") from error
    if not isinstance(described, dict) or not isinstance(described.get("model"), dict):
        raise BlendError(f"blend.tokenizer: {TOKENIZER_FILE} describes no model")
    tokenizer = Tokenizer.from_str(text)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def tokenizer_digest(text: str) -> str:
    """Return the sha256 of a ``tokenizer.json`` in hex; equal digests count alike."""
    return hashlib.sha256(text.encode()).hexdigest()


def count_tokens(items: pa.Table, tokenizer: Tokenizer) -> pa.Table:
    """Return TOKEN_COUNTS: a row per document that has text, in the order of the items.

    Args:
        items: Schema ITEMS.
        tokenizer: Of ``parse_tokenizer``.
    """
    texts = items.filter(pc.equal(items["modality"], str(Modality.TEXT)))
    encoded = tokenizer.encode_batch_fast(texts["text"].to_pylist(), add_special_tokens=False)
    counts = pa.table({"doc_id": texts["doc_id"], "num_tokens": pa.array([len(one) for one in encoded], pa.int64())})
    sums = counts.group_by("doc_id", use_threads=False).aggregate([("num_tokens", "sum")])
    return sums.select(["doc_id", "num_tokens_sum"]).rename_columns(["doc_id", "num_tokens"]).cast(TOKEN_COUNTS)
