"""URLs of web pages -> the PAGES table."""

from collections.abc import Awaitable, Callable

import pyarrow as pa
from multidict import CIMultiDictProxy

from curate.contract.ids import sha256_hex
from curate.contract.reasons import FetchStatus
from curate.contract.schemas import PAGES, table_from_rows
from curate.fetch.client import Body, FetchClient
from curate.fetch.config import FetchConfig
from curate.fetch.decode.sniff import image_format, markup_kind
from curate.fetch.errors import FetchError
from curate.fetch.network.answers import content_type
from curate.fetch.network.transport import Transport
from curate.fetch.optouts.headers import Checks
from curate.fetch.optouts.page import check_page
from curate.fetch.outbox import FetchRow, Outbox, Store
from curate.fetch.politeness.slots import HostSlots
from curate.fetch.refresh import refresh_target
from curate.fetch.session import fetch_each, open_client, run_loop

ACCEPT = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.5"
HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
UNTOLD_TYPES = frozenset(
    {
        None,
        "application/octet-stream",
        "application/unknown",
        "application/xml",
        "binary/octet-stream",
        "text/xml",
        "unknown/unknown",
    }
)
"""Types that may be HTML or not: the first bytes decide (MIME Sniffing Standard, 7). XHTML is often sent as XML."""

ROW_NUMBER = "row_number"
"""Of what is wanted, in rows that are not yet a table."""

_NOT_TEXT = (b"%PDF-", b"PK\x03\x04", b"\x1f\x8b")


def fetch_pages(
    documents: pa.Table, *, config: FetchConfig, transport: Transport | None = None, slots: HostSlots | None = None
) -> pa.Table:
    """Fetch web pages.

    Args:
        documents: Columns doc_id, url; N rows. Each distinct URL is requested once.
        config: Limits.
        transport: Stands in for the network in tests.
        slots: Shares each host's connections with other processes; None fetches alone.

    Returns:
        PAGES, N rows in the order of `documents`. A URL that failed is a row with its status, never an exception.
    """
    rows: list[FetchRow] = []
    run_loop(_fetch_all(documents, rows.extend, config=config, transport=transport, slots=slots))
    return table_from_rows(sorted(rows, key=lambda row: int(str(row[ROW_NUMBER]))), PAGES)


def stream_pages(
    documents: pa.Table,
    *,
    store: Store,
    config: FetchConfig,
    transport: Transport | None = None,
    slots: HostSlots | None,
) -> None:
    """Fetch web pages; what has come is stored meanwhile, in no order, so memory holds a few batches.

    Args:
        documents: See `fetch_pages`.
        store: Takes PAGES of some documents at a time, each once; called in a thread.
        config: Limits.
        transport: Stands in for the network in tests.
        slots: Shares each host's connections with other processes; None fetches alone.
    """

    def keep(rows: list[FetchRow]) -> None:
        store(table_from_rows(rows, PAGES))

    run_loop(_fetch_all(documents, keep, config=config, transport=transport, slots=slots))


async def _fetch_all(
    documents: pa.Table,
    store: Callable[[list[FetchRow]], None],
    *,
    config: FetchConfig,
    transport: Transport | None,
    slots: HostSlots | None,
) -> None:
    seekers: dict[str, list[FetchRow]] = {}
    for number, (doc_id, url) in enumerate(
        zip(*(documents[name].to_pylist() for name in ("doc_id", "url")), strict=True)
    ):
        seekers.setdefault(url or "", []).append({ROW_NUMBER: number, "doc_id": doc_id, "url": url or ""})
    async with open_client(config, transport=transport, slots=slots) as client, Outbox(store) as outbox:

        async def fetch_one(url: str) -> None:
            async def deliver(row: FetchRow) -> None:
                for own in seekers[url]:
                    await outbox.add(own | row)

            await _fetch_page(url, deliver, client=client, config=config)

        await fetch_each(seekers, fetch_one)


async def _fetch_page(
    url: str, deliver: Callable[[FetchRow], Awaitable[None]], *, client: FetchClient, config: FetchConfig
) -> None:
    checks = Checks()
    try:
        async with client.fetch(
            url, accept=ACCEPT, checks=checks, check_headers=check_type, refresh=refresh_target
        ) as body:
            await deliver(page_row(body, config=config, checks=checks))
            return
    except FetchError as error:
        failure = {"status": error.status, "http_status": error.http_status, "detail": error.detail}
    await deliver(checks.to_row() | failure)


def page_row(body: Body, *, config: FetchConfig, checks: Checks) -> FetchRow:
    """Return the columns of PAGES of a successful answer.

    Raises:
        FetchError: NOT_HTML, or OPTED_OUT by the page itself.
    """
    _check_start(body)
    check_page(body.data, status=body.http_status, config=config, checks=checks)
    return checks.to_row() | {
        "status": FetchStatus.OK,
        "http_status": body.http_status,
        "detail": body.tls_fault,
        "final_url": body.final_url,
        "charset": content_type(body.headers)[1],
        "data": body.data,
        "num_bytes": len(body.data),
        "sha256": sha256_hex(body.data),
    }


def check_type(headers: CIMultiDictProxy[str]) -> None:
    """Refuse what says that it is something else.

    Raises:
        FetchError: NOT_HTML.
    """
    media_type, _ = content_type(headers)
    if media_type not in HTML_TYPES | UNTOLD_TYPES:
        raise FetchError(FetchStatus.NOT_HTML, f"Content-Type is {str(media_type)[:80]}")


def _check_start(body: Body) -> None:
    media_type, _ = content_type(body.headers)
    kind = image_format(body.data)
    if kind is not None or body.data.startswith(_NOT_TEXT):
        raise FetchError(FetchStatus.NOT_HTML, f"the body is {kind or 'no text'}", body.http_status)
    if media_type in UNTOLD_TYPES and markup_kind(body.data) != "html":
        text = f"Content-Type is {media_type or 'not said'}, and the body does not begin as HTML"
        raise FetchError(FetchStatus.NOT_HTML, text, body.http_status)
