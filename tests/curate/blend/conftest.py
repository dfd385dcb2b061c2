"""Small pools for the tests of this folder."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from curate.blend.pool import Pool, read_pool
from curate.blend.queues import hash_doc_ids
from curate.contract.ids import sha256_hex
from curate.contract.schemas import POOL, table_from_rows

MakePool = Callable[..., Pool]


def id_of(source: str, number: int) -> str:
    """Return a document id; those of a source rise with the number."""
    return f"{sha256_hex(source.encode())[:8]}{number:08x}"


def pool_rows(*groups: tuple[str, str, int], num_images: int = 1, num_chars: int = 40) -> pa.Table:
    """Return POOL rows of ``(source, kind, count)`` groups; text documents have no images."""
    rows: list[dict[str, Any]] = [
        {
            "doc_id": id_of(source, number),
            "source": source,
            "kind": kind,
            "num_images": 0 if kind == "text" else num_images,
            "num_words": num_chars // 5,
            "num_chars": num_chars,
            "num_bytes": 1000 + number,
        }
        for source, kind, count in groups
        for number in range(count)
    ]
    return with_numbers(rows)


def with_numbers(rows: list[dict[str, Any]]) -> pa.Table:
    """Return POOL rows of documents with ids as people write them."""
    doc_ids = [row["doc_id"] for row in rows]
    hashes = hash_doc_ids(doc_ids).tolist()
    return table_from_rows([{**row, "hash": word} for row, word in zip(rows, hashes, strict=True)], POOL)


def pool_of(*tables: pa.Table) -> Pool:
    """Return the pool of these partitions."""
    return read_pool((f"part-{number:05d}", table) for number, table in enumerate(tables))


def _make_pool(*groups: tuple[str, str, int], num_images: int = 1, num_chars: int = 40) -> Pool:
    return pool_of(pool_rows(*groups, num_images=num_images, num_chars=num_chars))


@pytest.fixture
def make_pool() -> MakePool:
    return _make_pool
