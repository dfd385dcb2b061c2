"""URLs of images -> the IMAGES table; fetching and decoding overlap."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import pyarrow as pa
from multidict import CIMultiDictProxy

from curate.contract.ids import sha256_hex
from curate.contract.reasons import FetchStatus
from curate.contract.schemas import IMAGES, OPT_OUT_CHECKS, table_from_rows
from curate.fetch.client import FetchClient
from curate.fetch.config import FetchConfig
from curate.fetch.data_urls import is_data_url, read_data_url
from curate.fetch.decode.decode import decode_image
from curate.fetch.errors import FetchError
from curate.fetch.network.answers import content_type
from curate.fetch.network.transport import Transport
from curate.fetch.optouts.headers import Checks
from curate.fetch.politeness.slots import HostSlots
from curate.fetch.session import FetchRow, fetch_each, open_client, run_loop

ACCEPT = "image/jpeg,image/*;q=0.9,*/*;q=0.5"
"""Servers that can choose send JPEG, which is stored as it is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _WantedImage:
    """What is known of a URL before it is fetched."""

    url: str
    expected: set[str | None]
    """Promised hashes of its bytes; None among them promises nothing."""
    page_url: str | None


def fetch_images(
    wanted: pa.Table, *, config: FetchConfig, transport: Transport | None = None, slots: HostSlots | None = None
) -> pa.Table:
    """Fetch, decode and scale images.

    Args:
        wanted: Columns doc_id, position, image_url, and perhaps expected_sha256 (hex; null expects nothing); N rows.
            Each distinct URL is requested once. A column page_url, where there is one, names the page of each image.
        config: Limits and output size.
        transport: Stands in for the network in tests.
        slots: Shares each host's connections with other processes; None fetches alone.

    Returns:
        IMAGES, N rows in the order of `wanted`. A URL that failed is a row with its status, never an exception.
    """
    images = _wanted_images(wanted)
    fetched = run_loop(_fetch_all(images, config=config, transport=transport, slots=slots))
    return images_table(wanted, fetched)


def expected_hashes(wanted: pa.Table) -> dict[str, set[str | None]]:
    """Return each distinct URL's promised hashes of its bytes; None among them promises nothing."""
    expected: dict[str, set[str | None]] = {}
    for url, sha256 in zip(*_urls_and_hashes(wanted), strict=True):
        expected.setdefault(url, set()).add(sha256)
    return expected


def _wanted_images(wanted: pa.Table) -> list[_WantedImage]:
    """Return what is wanted of each distinct URL; of several pages that show it, the first that is known."""
    pages: dict[str, str] = {}
    if "page_url" in wanted.column_names:
        for url, page in zip(wanted["image_url"].to_pylist(), wanted["page_url"].to_pylist(), strict=True):
            pages.setdefault(url, page or "")
            pages[url] = pages[url] or page or ""
    hashes = expected_hashes(wanted).items()
    return [_WantedImage(url=url, expected=expected, page_url=pages.get(url) or None) for url, expected in hashes]


def images_table(wanted: pa.Table, fetched: dict[str, FetchRow]) -> pa.Table:
    """Return IMAGES: the rows of `wanted` with what has become of their URLs."""
    keys = zip(wanted["doc_id"].to_pylist(), wanted["position"].to_pylist(), *_urls_and_hashes(wanted), strict=True)
    rows = [
        {"doc_id": doc_id, "position": position, "image_url": url} | _verified(fetched[url], sha256)
        for doc_id, position, url, sha256 in keys
    ]
    return table_from_rows(rows, IMAGES)


def _urls_and_hashes(wanted: pa.Table) -> tuple[list[str], list[str | None]]:
    has_hashes = "expected_sha256" in wanted.column_names
    hashes = wanted["expected_sha256"].to_pylist() if has_hashes else [None] * wanted.num_rows
    return [url or "" for url in wanted["image_url"].to_pylist()], hashes


async def _fetch_all(
    wanted: list[_WantedImage], *, config: FetchConfig, transport: Transport | None, slots: HostSlots | None
) -> dict[str, FetchRow]:
    by_url = {image.url: image for image in wanted}
    with ThreadPoolExecutor(config.decode_threads, thread_name_prefix="decode") as threads:
        async with open_client(config, transport=transport, slots=slots) as client:

            async def fetch_one(url: str) -> FetchRow:
                return await _fetch_image(by_url[url], client=client, threads=threads, config=config)

            return await fetch_each(by_url, fetch_one)


async def _fetch_image(
    image: _WantedImage, *, client: FetchClient, threads: ThreadPoolExecutor, config: FetchConfig
) -> FetchRow:
    checks = Checks()
    http_status: int | None = None
    decode = partial(decode_row, expected=image.expected, config=config)
    loop = asyncio.get_running_loop()
    try:
        if is_data_url(image.url):
            row = await loop.run_in_executor(threads, _decode_data_url, image.url, decode, config.max_bytes)
            return checks.to_row() | {"status": FetchStatus.OK} | row
        # The block ends after decoding: until then the body counts as bytes in flight.
        async with client.fetch(
            image.url, accept=ACCEPT, checks=checks, check_headers=_refuse_streams, page_url=image.page_url
        ) as body:
            http_status = body.http_status
            told = {"status": FetchStatus.OK, "http_status": http_status, "detail": body.tls_fault}
            row = await loop.run_in_executor(threads, decode, body.data)
            return checks.to_row() | told | row
    except FetchError as error:
        failure = {"status": error.status, "http_status": error.http_status or http_status, "detail": error.detail}
        return checks.to_row() | failure


def _decode_data_url(url: str, decode: Callable[[bytes], FetchRow], max_bytes: int) -> FetchRow:
    return decode(read_data_url(url, max_bytes=max_bytes))


def decode_row(data: bytes, *, expected: set[str | None], config: FetchConfig) -> FetchRow:
    """Return the columns of IMAGES that come of an image's bytes.

    Args:
        data: As received.
        expected: Promised hashes; None among them promises nothing.
        config: Limits and output size.

    Raises:
        FetchError: HASH_MISMATCH, NOT_AN_IMAGE, TOO_MANY_PIXELS or BROKEN_IMAGE.
    """
    original_sha256 = sha256_hex(data)
    if expected.isdisjoint({None, original_sha256}):  # nobody wants other bytes than promised, so nobody decodes them
        raise FetchError(FetchStatus.HASH_MISMATCH, f"sha256 is {original_sha256}")
    image = decode_image(data, resize=config.resize, max_pixels=config.max_pixels)
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


def _verified(row: FetchRow, expected_sha256: str | None) -> FetchRow:
    """Return a URL's row as one of those who want it sees it: rows of one URL may promise different bytes."""
    if row["status"] != FetchStatus.OK or expected_sha256 in {None, row["original_sha256"]}:
        return row
    kept = {name: row[name] for name in ("http_status", *(field.name for field in OPT_OUT_CHECKS))}
    return kept | {"status": FetchStatus.HASH_MISMATCH, "detail": f"sha256 is {row['original_sha256']}"}


def _refuse_streams(headers: CIMultiDictProxy[str]) -> None:
    # Wrong labels are common between image types and text, so only the costly and certain ones are believed.
    media_type, _ = content_type(headers)
    if media_type is not None and media_type.startswith(("video/", "audio/")):
        raise FetchError(FetchStatus.NOT_AN_IMAGE, f"Content-Type is {media_type[:80]}")
