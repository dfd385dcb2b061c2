from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pytest

from train_bridge.data import lengths
from train_bridge.data.counting import CountRows
from train_bridge.data.length_parts import find_missing, kept_parts
from train_bridge.data.lengths import count_lengths, count_part, find_lengths, missing_rows
from train_bridge.tokens.encoder import TextEncoder

BLOCK = 10
"""Of 48 rows."""


def test_blocks_counted_apart_and_in_any_order_are_the_set_counted_at_once(
    shard_folder: str, encoder: TextEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, apart = str(tmp_path / "whole"), str(tmp_path / "apart")
    wanted = count_lengths(shard_folder, encoder=encoder, cache_dir=whole, block_rows=BLOCK)
    assert missing_rows(shard_folder, encoder=encoder, cache_dir=whole, block_rows=BLOCK) == []
    assert missing_rows(shard_folder, encoder=encoder, cache_dir=apart, block_rows=BLOCK) == [0, 10, 20, 30, 40]
    for rows, num_kept in (((20, 40), 2), ((40, 50), 3), ((0, 20), 5)):
        parts = count_part(shard_folder, rows, encoder=encoder, cache_dir=apart, block_rows=BLOCK)
        assert len(parts) == num_kept
    assert missing_rows(shard_folder, encoder=encoder, cache_dir=apart, block_rows=BLOCK) == []
    monkeypatch.setattr(lengths, "_open_counter", open_nothing)
    found = count_lengths(shard_folder, encoder=encoder, cache_dir=apart, block_rows=BLOCK)
    assert Path(found).read_bytes() == Path(wanted).read_bytes()
    names = sorted(path.name for path in Path(apart).iterdir())
    assert names == sorted(path.name for path in Path(whole).iterdir())
    for name in names:
        assert (Path(apart) / name).read_bytes() == (Path(whole) / name).read_bytes()


@contextmanager
def open_nothing(*_: object) -> Iterator[CountRows]:
    """Yield what counts nothing: every block must be there."""

    def refuse(rows: pa.Table) -> pa.Table:
        raise AssertionError(rows.num_rows)

    yield refuse


def test_a_set_of_one_block_is_not_divided(shard_folder: str, encoder: TextEncoder, tmp_path: Path) -> None:
    assert missing_rows(shard_folder, encoder=encoder, cache_dir=str(tmp_path)) == []
    found = find_lengths(shard_folder, encoder=encoder, cache_dir=str(tmp_path))
    assert find_missing(shard_folder, path=found.path, num_rows=found.index.num_rows) == [0]
    assert kept_parts(found.path) == []
