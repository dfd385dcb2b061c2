"""URLs of images -> the IMAGES table; fetching and decoding overlap."""

import asyncio
from collections.abc import Awaitable, Callable
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
from curate.fetch.outbox import FetchRow, Outbox, Store
from curate.fetch.politeness.slots import HostSlots
from curate.fetch.session import fetch_each, open_client, run_loop

ACCEPT = "image/jpeg,image/*;q=0.9,*/*;q=0.5"
"""Servers that can choose send JPEG, which is stored as it is."""


ROW_NUMBER = "row_number"
"""Of what is wanted, in rows that are not yet a table."""


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
    rows: list[FetchRow] = []
    run_loop(_fetch_all(wanted, rows.extend, config=config, transport=transport, slots=slots))
    return table_from_rows(sorted(rows, key=lambda row: int(str(row[ROW_NUMBER]))), IMAGES)


def stream_images(
    wanted: pa.Table, *, store: Store, config: FetchConfig, transport: Transport | None = None, slots: HostSlots | None
) -> None:
    """Fetch, decode and scale images; what has come is stored meanwhile, in no order, so memory holds a few batches.

    Args:
        wanted: See `fetch_images`.
        store: Takes IMAGES of some rows of `wanted` at a time, each row once; called in a thread.
        config: Limits and output size.
        transport: Stands in for the network in tests.
        slots: Shares each host's connections with other processes; None fetches alone.
    """

    def keep(rows: list[FetchRow]) -> None:
        store(table_from_rows(rows, IMAGES))

    run_loop(_fetch_all(wanted, keep, config=config, transport=transport, slots=slots))


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
    return table_from_rows([seeker.row(fetched[seeker.url]) for seeker in _seekers(wanted)], IMAGES)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Seeker:
    """A row of what is wanted."""

    number: int
    doc_id: str
    position: int
    url: str
    sha256: str | None

    def row(self, fetched: FetchRow) -> FetchRow:
        """Return its row of IMAGES, given what has become of its URL."""
        keys = {ROW_NUMBER: self.number, "doc_id": self.doc_id, "position": self.position, "image_url": self.url}
        return keys | _verified(fetched, self.sha256)


def _seekers(wanted: pa.Table) -> list[_Seeker]:
    columns = (wanted["doc_id"].to_pylist(), wanted["position"].to_pylist(), *_urls_and_hashes(wanted))
    return [
        _Seeker(number=number, doc_id=doc_id, position=position, url=url, sha256=sha256)
        for number, (doc_id, position, url, sha256) in enumerate(zip(*columns, strict=True))
    ]


def _urls_and_hashes(wanted: pa.Table) -> tuple[list[str], list[str | None]]:
    has_hashes = "expected_sha256" in wanted.column_names
    hashes = wanted["expected_sha256"].to_pylist() if has_hashes else [None] * wanted.num_rows
    return [url or "" for url in wanted["image_url"].to_pylist()], hashes


async def _fetch_all(
    wanted: pa.Table,
    store: Callable[[list[FetchRow]], None],
    *,
    config: FetchConfig,
    transport: Transport | None,
    slots: HostSlots | None,
) -> None:
    by_url = {image.url: image for image in _wanted_images(wanted)}
    seekers: dict[str, list[_Seeker]] = {}
    for seeker in _seekers(wanted):
        seekers.setdefault(seeker.url, []).append(seeker)
    with ThreadPoolExecutor(config.decode_threads, thread_name_prefix="decode") as threads:
        async with open_client(config, transport=transport, slots=slots) as client, Outbox(store) as outbox:

            async def fetch_one(url: str) -> None:
                async def deliver(row: FetchRow) -> None:
                    for seeker in seekers.pop(url):
                        await outbox.add(seeker.row(row))

                await _fetch_image(by_url[url], deliver, client=client, threads=threads, config=config)

            await fetch_each(by_url, fetch_one)


async def _fetch_image(
    image: _WantedImage,
    deliver: Callable[[FetchRow], Awaitable[None]],
    *,
    client: FetchClient,
    threads: ThreadPoolExecutor,
    config: FetchConfig,
) -> None:
    checks = Checks()
    http_status: int | None = None
    decode = partial(decode_row, expected=image.expected, config=config)
    try:
        if is_data_url(image.url):
            row = await _in_turn(client, threads, partial(_decode_data_url, image.url, decode, config.max_bytes))
            await deliver(checks.to_row() | {"status": FetchStatus.OK} | row)
            return
        # The block ends when the row has been taken: until then the body counts as bytes in flight.
        async with client.fetch(
            image.url, accept=ACCEPT, checks=checks, check_headers=_refuse_streams, page_url=image.page_url
        ) as body:
            http_status = body.http_status
            told = {"status": FetchStatus.OK, "http_status": http_status, "detail": body.tls_fault}
            row = await _in_turn(client, threads, partial(decode, body.data))
            await deliver(checks.to_row() | told | row)
            return
    except FetchError as error:
        failure = {"status": error.status, "http_status": error.http_status or http_status, "detail": error.detail}
    await deliver(checks.to_row() | failure)


async def _in_turn(client: FetchClient, threads: ThreadPoolExecutor, decode: Callable[[], FetchRow]) -> FetchRow:
    """Decode in a thread; what the pictures being decoded take is bounded for all calls of the process together."""
    await client.decodes.take()
    try:
        return await asyncio.get_running_loop().run_in_executor(threads, decode)
    finally:
        client.decodes.give()


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
