import shutil
from pathlib import Path

import pytest

from curate.contract.errors import ShardError
from shards.export.stream import stream_shards
from shards.export.tally import Tally
from tests.shards.export.conftest import DOCUMENTS, NUM_IMAGES


def test_shards_and_samples_come_in_order_and_are_counted(varied_set: str) -> None:
    tally = Tally()
    found = [
        (shard.stem, [one.record["doc_id"] for one in shard.samples])
        for shard in stream_shards(varied_set, tally=tally)
    ]
    assert [stem for stem, _ in found] == ["00000", "00001", "00002"]
    assert [doc_id for _, doc_ids in found for doc_id in doc_ids] == [one.doc_id for one in DOCUMENTS]
    assert (tally.num_documents, tally.num_images) == (len(DOCUMENTS), NUM_IMAGES)


def test_an_altered_image_is_not_exported(varied_set: str, tmp_path: Path) -> None:
    folder = shutil.copytree(varied_set, tmp_path / "set")
    tar = folder / "00000.tar"
    data = bytearray(tar.read_bytes())
    data[data.rindex(b"\xff\xd9") - 3] ^= 1
    tar.write_bytes(data)
    with pytest.raises(ShardError, match="not the image that was stored"):
        [list(shard.samples) for shard in stream_shards(str(folder), tally=Tally())]


def test_a_folder_without_a_readable_index(tmp_path: Path) -> None:
    with pytest.raises(ShardError, match="finished shard set"):
        list(stream_shards(str(tmp_path), tally=Tally()))
    (tmp_path / "index.parquet").write_bytes(b"PAR1")
    with pytest.raises(ShardError, match="not a readable shard index"):
        list(stream_shards(str(tmp_path), tally=Tally()))
