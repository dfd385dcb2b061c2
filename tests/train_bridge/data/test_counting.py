from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pytest

from shards.reader import read_index
from train_bridge.data import lengths
from train_bridge.data.counting import COUNTED, CountRows, open_counter
from train_bridge.data.lengths import count_lengths
from train_bridge.tokens.encoder import TextEncoder


@pytest.mark.slow
def test_several_processes_count_what_one_does(shard_folder: str, encoder: TextEncoder, tmp_path: Path) -> None:
    paths = [
        count_lengths(shard_folder, encoder=encoder, cache_dir=str(tmp_path / str(n)), num_processes=n) for n in (1, 2)
    ]
    assert Path(paths[0]).read_bytes() == Path(paths[1]).read_bytes()


def test_rows_are_counted_in_their_order_and_none_are_no_rows(shard_folder: str, encoder: TextEncoder) -> None:
    index = read_index(shard_folder)
    with open_counter(shard_folder, encoder=encoder, num_processes=1) as count:
        every = count(index)
        assert every.schema.equals(COUNTED)
        assert count(index.slice(5, 9)).equals(every.slice(5, 9))
        assert count(index.slice(0, 0)).num_rows == 0


def test_what_was_counted_before_a_kill_is_not_counted_again(
    shard_folder: str, encoder: TextEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = count_lengths(shard_folder, encoder=encoder, cache_dir=str(tmp_path / "whole"), block_rows=10)
    assert sorted(path.suffix for path in (tmp_path / "whole").iterdir()) == [".arrow", ".arrow", ".json"]
    asked: list[int] = []

    def die_after(num_blocks: int) -> None:
        @contextmanager
        def open_dying(folder: str, *, encoder: TextEncoder, num_processes: int) -> Iterator[CountRows]:
            with open_counter(folder, encoder=encoder, num_processes=num_processes) as count:

                def count_some(rows: pa.Table) -> pa.Table:
                    if len(asked) == num_blocks:
                        raise InterruptedError
                    asked.append(rows.num_rows)
                    return count(rows)

                yield count_some

        monkeypatch.setattr(lengths, "open_counter", open_dying)

    die_after(2)
    with pytest.raises(InterruptedError):
        count_lengths(shard_folder, encoder=encoder, cache_dir=str(tmp_path / "parts"), block_rows=10)
    assert asked == [10, 10]
    die_after(99)
    again = count_lengths(shard_folder, encoder=encoder, cache_dir=str(tmp_path / "parts"), block_rows=10)
    assert sum(asked) == read_index(shard_folder).num_rows
    assert Path(again).read_bytes() == Path(whole).read_bytes()
