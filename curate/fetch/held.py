"""Images that come with their source -> the IMAGES table: decoded and scaled as fetched ones are, no network."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa

from curate.contract.reasons import FetchStatus
from curate.contract.schemas import IMAGES, table_from_rows
from curate.fetch.config import FetchConfig
from curate.fetch.errors import FetchError
from curate.fetch.images import decode_row
from curate.fetch.outbox import FetchRow

Key = tuple[str, int]
"""doc_id and position."""


def decode_held(wanted: pa.Table, held: Mapping[Key, bytes | FetchError], *, config: FetchConfig) -> pa.Table:
    """Decode and scale images.

    Args:
        wanted: Columns doc_id, position, image_url, and perhaps expected_sha256 (hex; null expects nothing); N rows.
        held: The bytes of each, as the source holds them, or why it does not.
        config: Limits and output size.

    Returns:
        IMAGES, N rows in the order of `wanted`. Bytes that are no image are a row with its status, never an exception.
    """

    def decode(row: Mapping[str, object]) -> FetchRow:
        key = (str(row["doc_id"]), int(str(row["position"])))
        expected = row.get("expected_sha256")
        found = _decode(held[key], None if expected is None else str(expected), config)
        return {"doc_id": key[0], "position": key[1], "image_url": row["image_url"] or ""} | found

    with ThreadPoolExecutor(config.decode_threads, thread_name_prefix="decode") as threads:
        return table_from_rows(list(threads.map(decode, wanted.to_pylist())), IMAGES)


def _decode(data: bytes | FetchError, expected_sha256: str | None, config: FetchConfig) -> FetchRow:
    if isinstance(data, FetchError):
        return {"status": data.status, "detail": data.detail}
    if len(data) > config.max_bytes:
        return {"status": FetchStatus.TOO_LARGE, "detail": f"{len(data)} bytes"}
    try:
        return {"status": FetchStatus.OK} | decode_row(data, expected={expected_sha256}, config=config)
    except FetchError as error:
        return {"status": error.status, "detail": error.detail}
