"""URLs of web pages -> the PAGES table."""

import pyarrow as pa
from multidict import CIMultiDictProxy

from curate.contract.reasons import FetchStatus
from curate.contract.schemas import PAGES, table_from_rows
from curate.fetch.client import Body, FetchClient
from curate.fetch.config import FetchConfig
from curate.fetch.decode.sniff import markup_kind
from curate.fetch.errors import FetchError
from curate.fetch.network.answers import content_type
from curate.fetch.network.transport import Transport
from curate.fetch.optouts.headers import Checks
from curate.fetch.politeness.slots import HostSlots
from curate.fetch.session import FetchRow, fetch_each, open_client, run_loop

ACCEPT = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.5"
HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})


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
    urls = [url or "" for url in documents["url"].to_pylist()]
    fetched = run_loop(_fetch_all(urls, config=config, transport=transport, slots=slots))
    keys = zip(documents["doc_id"].to_pylist(), urls, strict=True)
    return table_from_rows([{"doc_id": doc_id, "url": url} | fetched[url] for doc_id, url in keys], PAGES)


async def _fetch_all(
    urls: list[str], *, config: FetchConfig, transport: Transport | None, slots: HostSlots | None
) -> dict[str, FetchRow]:
    async with open_client(config, transport=transport, slots=slots) as client:

        async def fetch_one(url: str) -> FetchRow:
            return await _fetch_page(url, client=client)

        return await fetch_each(urls, fetch_one)


async def _fetch_page(url: str, *, client: FetchClient) -> FetchRow:
    checks = Checks()
    try:
        async with client.fetch(url, accept=ACCEPT, checks=checks, check_headers=_check_type) as body:
            _check_start(body)
            return checks.to_row() | {
                "status": FetchStatus.OK,
                "http_status": body.http_status,
                "final_url": body.final_url,
                "charset": content_type(body.headers)[1],
                "data": body.data,
            }
    except FetchError as error:
        return checks.to_row() | {"status": error.status, "http_status": error.http_status, "detail": error.detail}


def _check_type(headers: CIMultiDictProxy[str]) -> None:
    media_type, _ = content_type(headers)
    if media_type is not None and media_type not in HTML_TYPES:
        raise FetchError(FetchStatus.NOT_HTML, f"Content-Type is {media_type[:80]}")


def _check_start(body: Body) -> None:
    media_type, _ = content_type(body.headers)
    if media_type is None and markup_kind(body.data) != "html":
        raise FetchError(FetchStatus.NOT_HTML, "no Content-Type, and the body does not begin as HTML", body.http_status)
