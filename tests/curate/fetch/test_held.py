import hashlib

import pyarrow as pa

from curate.contract.reasons import FetchStatus
from curate.contract.schemas import IMAGES, check_schema
from curate.fetch.config import FetchConfig
from curate.fetch.errors import FetchError
from curate.fetch.held import decode_held
from tests.pipelines.corpus import jpeg

CONFIG = FetchConfig(contact="mailto:a@b.example", max_bytes=1_000_000)


def wanted(*hashes: str | None) -> pa.Table:
    number = len(hashes)
    return pa.table(
        {
            "doc_id": [f"d{i}" for i in range(number)],
            "position": pa.array(range(number), pa.int32()),
            "image_url": [f"held:a.tar#{i}/0" for i in range(number)],
            "expected_sha256": pa.array(hashes, pa.string()),
        }
    )


def test_bytes_that_are_held_are_stored_as_fetched_ones_are() -> None:
    data = jpeg(1)
    table = decode_held(wanted(None), {("d0", 0): data}, config=CONFIG)
    check_schema(table, IMAGES, where="test")
    (row,) = table.to_pylist()
    assert (row["status"], row["image_url"], row["http_status"]) == ("ok", "held:a.tar#0/0", None)
    assert (row["data"], row["original_sha256"]) == (data, hashlib.sha256(data).hexdigest())
    assert row["robots"] is None


def test_each_fault_is_a_row() -> None:
    held = {("d0", 0): b"<html>", ("d1", 1): jpeg(2)[:-300], ("d2", 2): jpeg(3), ("d3", 3): b"\0" * 1_000_001}
    table = decode_held(wanted(None, None, "0" * 64, None), held, config=CONFIG)
    assert table["status"].to_pylist() == ["not_an_image", "broken_image", "hash_mismatch", "too_large"]


def test_what_should_be_held_and_is_not_is_a_row_too() -> None:
    fault = FetchError(FetchStatus.MISSING_FILE, "no such file")
    (row,) = decode_held(wanted(None), {("d0", 0): fault}, config=CONFIG).to_pylist()
    assert (row["status"], row["detail"], row["data"]) == ("missing_file", "no such file", None)


def test_nothing_wanted_is_an_empty_table() -> None:
    assert decode_held(wanted(), {}, config=CONFIG).num_rows == 0
