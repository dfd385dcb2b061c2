import time
from pathlib import Path

from pipelines.bench.file_server import served
from pipelines.bench.loader import rows_of, write_articles, write_pairs
from shards.reader import ShardReader, read_index
from shards.storage import open_folder

VALUES = {
    "plan": [150_000.0],
    "raw": [30.0, 20.0, 40.0],
    "raw webdataset": [10.0, 10.0, 12.0],
    "decoded": [9.0],
    "decoded bare": [10.0],
    "decoded bare, all cores": [18.0],
    "decoded webdataset": [6.0],
    "state-bytes": [100.0],
    "resume-s": [0.5],
}


def test_rows_of_a_run_without_one_of_the_peers() -> None:
    rows = rows_of({"values": VALUES, "versions": {"webdataset": "1.0", "megatron-energon": None}})
    found = [(row["case"], row["peer"], row["ours"], row["peer_value"], row["ratio"], row["runs"]) for row in rows]
    assert found == [
        ("plan", "limit", 150_000.0, 100_000, 1.5, 1),
        ("raw", "webdataset 1.0", 30.0, 10.0, 3.0, 3),
        ("raw", "megatron-energon", 30.0, None, None, 3),
        ("decoded", "bare decode, one thread", 9.0, 10.0, 0.9, 1),
        ("decoded", "bare decode, a thread per core", 9.0, 18.0, 0.5, 1),
        ("decoded", "webdataset 1.0", 9.0, 6.0, 1.5, 1),
        ("decoded", "megatron-energon", 9.0, None, None, 1),
        ("state-bytes", "megatron-energon", 100.0, None, None, 1),
        ("resume-s", "megatron-energon", 0.5, None, None, 1),
    ]


def test_less_is_better_for_state_and_resume() -> None:
    values = VALUES | {"state-bytes megatron-energon": [400.0], "resume-s megatron-energon": [1.0]}
    rows = rows_of({"values": values, "versions": {"webdataset": "1.0", "megatron-energon": "7"}})
    assert [(row["peer"], row["ratio"]) for row in rows[-2:]] == [
        ("megatron-energon 7", 4.0),
        ("megatron-energon 7", 2.0),
    ]


def test_pairs_are_a_finished_set(tmp_path: Path) -> None:
    write_pairs(tmp_path, num_samples=6, num_shards=2)
    rows = read_index(str(tmp_path)).to_pylist()
    assert [row["shard"] for row in rows] == ["00000.tar"] * 3 + ["00001.tar"] * 3
    assert (tmp_path / ".nv-meta" / "dataset.yaml").exists()
    with ShardReader(str(tmp_path)) as reader:
        sizes = [len(reader.read(row, check_images=True).images[0]) for row in rows]
    assert min(sizes) > 30_000


def test_reading_has_rows_beside_what_it_was() -> None:
    reading = {
        "long-document": [30.0],
        "long-document short": [40.0],
        "latency-30ms": [600.0],
        "latency-30ms eight": [200.0],
        "latency-30ms stored": [800.0],
    }
    rows = rows_of({"values": VALUES | reading, "versions": {"webdataset": "1.0", "megatron-energon": None}})
    assert [(row["case"], row["unit"], row["ratio"]) for row in rows if row["case"] in reading] == [
        ("long-document", "tokens/s", 0.75),
        ("latency-30ms", "samples/s", 3.0),
        ("latency-30ms stored", "samples/s", 4.0),
    ]


def test_articles_are_a_finished_set(tmp_path: Path) -> None:
    write_articles(tmp_path, num_samples=2, num_words=900)
    rows = read_index(str(tmp_path)).to_pylist()
    assert [len(row["parts"]) for row in rows] == [4, 4]
    with ShardReader(str(tmp_path)) as reader:
        texts = [item["text"] for item in reader.read(rows[0]).record["items"] if item["type"] == "text"]
    assert sum(len(text.split()) for text in texts) == 960


def test_a_slow_store_answers_ranges_late(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")
    with served(tmp_path, delay_s=0.2) as url:
        system, _ = open_folder(url)
        start_s = time.perf_counter()
        assert system.cat_file(f"{url}/file", start=2, end=5) == b"234"
        assert time.perf_counter() - start_s >= 0.2
