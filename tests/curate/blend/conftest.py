"""Small pools for the tests of this folder."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from curate.contract.schemas import POOL, table_from_rows

MakePool = Callable[..., pa.Table]


def _make_pool(*groups: tuple[str, str, int], num_images: int = 1, num_chars: int = 40) -> pa.Table:
    """Return a pool of ``(source, kind, count)`` groups; text documents have no images."""
    rows: list[dict[str, Any]] = [
        {
            "doc_id": f"{source}-{number:06d}",
            "partition": f"{source}-00000-00000",
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
    return table_from_rows(rows, POOL)


@pytest.fixture
def make_pool() -> MakePool:
    return _make_pool
