from pathlib import Path

import pyarrow as pa
import pytest

from curate.contract.errors import ShardError
from shards.reader import ShardReader, read_index
from tests.train_bridge.conftest import make_sample, write_set
from train_bridge.data.length_parts import LENGTHS
from train_bridge.data.lengths import count_lengths
from train_bridge.tokens.encoder import Encoded, TextEncoder, TextForm


def read(path: str) -> pa.Table:
    with pa.memory_map(path) as file:
        return pa.ipc.open_file(file).read_all()


def test_counts_are_those_of_the_encoder(shard_folder: str, encoder: TextEncoder, tmp_path: Path) -> None:
    table = read(count_lengths(shard_folder, encoder=encoder, cache_dir=str(tmp_path)))
    assert table.schema.equals(LENGTHS)
    rows = table.to_pylist()
    with ShardReader(shard_folder) as reader:
        for row in rows:
            (encoded,) = encoder.encode([reader.read(row).record])
            assert isinstance(encoded, Encoded)
            assert (row["num_ids"], row["num_labels"]) == (len(encoded.ids), int(encoded.labelled[1:].sum()))
            assert len(row["image_at"]) == row["num_images"]
    assert {row["kind"] for row in rows} == {"pair", "text", "interleaved"}


def test_the_same_set_has_the_same_bytes_and_is_not_counted_twice(
    shard_folder: str, encoder: TextEncoder, tmp_path: Path
) -> None:
    one, other = (count_lengths(shard_folder, encoder=encoder, cache_dir=str(tmp_path / name)) for name in "ab")
    assert Path(one).name == Path(other).name
    assert Path(one).read_bytes() == Path(other).read_bytes()
    Path(one).write_bytes(b"kept")
    assert count_lengths(shard_folder, encoder=encoder, cache_dir=str(tmp_path / "a")) == one
    assert Path(one).read_bytes() == b"kept"


def test_another_form_is_another_file(shard_folder: str, encoder: TextEncoder, tmp_path: Path) -> None:
    other = TextEncoder(encoder._tokenizer, form=TextForm(labels="assistant"))
    paths = {count_lengths(shard_folder, encoder=e, cache_dir=str(tmp_path)) for e in (encoder, other)}
    assert len(paths) == 2
    faults = read(count_lengths(shard_folder, encoder=other, cache_dir=str(tmp_path)))["fault"].to_pylist()
    assert faults.count("no_assistant") == 32


def test_an_unreadable_sample_is_a_fault(encoder: TextEncoder, tmp_path: Path) -> None:
    folder = write_set(tmp_path / "set", [make_sample(number) for number in range(3)])
    row = read_index(folder).to_pylist()[1]
    with (Path(folder) / row["shard"]).open("r+b") as file:
        file.seek(row["parts"][0]["offset"])
        file.write(b"\xff\xff")
    faults = read(count_lengths(folder, encoder=encoder, cache_dir=str(tmp_path)))["fault"].to_pylist()
    assert faults == [None, "unreadable", None]


def test_a_folder_without_an_index(encoder: TextEncoder, tmp_path: Path) -> None:
    with pytest.raises(ShardError, match=r"index\.parquet"):
        count_lengths(str(tmp_path), encoder=encoder, cache_dir=str(tmp_path))
