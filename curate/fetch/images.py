"""URLs of images -> the IMAGES table; fetching and decoding overlap."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
from multidict import CIMultiDictProxy

from curate.contract.ids import sha256_hex
from curate.contract.reasons import FetchStatus
from curate.contract.schemas import IMAGES, table_from_rows
from curate.fetch.answers import content_type
from curate.fetch.client import Client
from curate.fetch.config import FetchConfig
from curate.fetch.decode import decode_image
from curate.fetch.errors import FetchError
from curate.fetch.session import Row, fetch_each, open_client, run_loop
from curate.fetch.transport import Transport

ACCEPT = "image/jpeg,image/*;q=0.9,*/*;q=0.5"
"""Servers that can choose send JPEG, which is stored as it is."""


def fetch_images(wanted: pa.Table, *, config: FetchConfig, transport: Transport | None = None) -> pa.Table:
    """Fetch, decode and scale images.

    Args:
        wanted: Columns doc_id, position, image_url; N rows. Each distinct URL is requested once.
        config: Limits and output size.
        transport: Stands in for the network in tests.

    Returns:
        IMAGES, N rows in the order of `wanted`. A URL that failed is a row with its status, never an exception.
    """
    urls = [url or "" for url in wanted["image_url"].to_pylist()]
    fetched = run_loop(_fetch_all(urls, config=config, transport=transport))
    keys = zip(wanted["doc_id"].to_pylist(), wanted["position"].to_pylist(), urls, strict=True)
    rows = [{"doc_id": doc_id, "position": position, "image_url": url} | fetched[url] for doc_id, position, url in keys]
    return table_from_rows(rows, IMAGES)


async def _fetch_all(urls: list[str], *, config: FetchConfig, transport: Transport | None) -> dict[str, Row]:
    with ThreadPoolExecutor(config.decode_threads, thread_name_prefix="decode") as threads:
        async with open_client(config, transport) as client:

            async def fetch_one(url: str) -> Row:
                return await _fetch_image(url, client=client, threads=threads, config=config)

            return await fetch_each(urls, fetch_one)


async def _fetch_image(url: str, *, client: Client, threads: ThreadPoolExecutor, config: FetchConfig) -> Row:
    http_status: int | None = None
    try:
        # The block ends after decoding: until then the body counts as bytes in flight.
        async with client.fetch(url, accept=ACCEPT, check_headers=_refuse_streams) as body:
            http_status = body.http_status
            row = await asyncio.get_running_loop().run_in_executor(threads, _decode_row, body.data, config)
            return {"status": FetchStatus.OK, "http_status": http_status} | row
    except FetchError as error:
        return {"status": error.status, "http_status": error.http_status or http_status, "detail": error.detail}


def _decode_row(data: bytes, config: FetchConfig) -> Row:
    image = decode_image(data, resize=config.resize, max_pixels=config.max_pixels)
    original_sha256 = sha256_hex(data)
    return {
        "data": image.data,
        "num_bytes": len(image.data),
        "image_id": original_sha256 if image.data is data else sha256_hex(image.data),
        "format": "jpg",
        "width": image.width,
        "height": image.height,
        "original_width": image.original_width,
        "original_height": image.original_height,
        "original_sha256": original_sha256,
        "original_num_bytes": len(data),
    }


def _refuse_streams(headers: CIMultiDictProxy[str]) -> None:
    # Wrong labels are common between image types and text, so only the costly and certain ones are believed.
    media_type, _ = content_type(headers)
    if media_type is not None and media_type.startswith(("video/", "audio/")):
        raise FetchError(FetchStatus.NOT_AN_IMAGE, f"Content-Type is {media_type[:80]}")
