"""From a fetched page to its items: main content only, in document order."""

from urllib.parse import urljoin

import pyarrow as pa
from selectolax.lexbor import LexborHTMLParser

from curate.contract.reasons import FetchStatus, IngestReason, Stage, fetch_reason
from curate.contract.records import Item
from curate.contract.schemas import ITEMS, PAGES, check_schema, table_from_rows
from curate.contract.verdicts import Verdict, verdict_table
from curate.ingest.html.blocks import extract_items
from curate.ingest.html.boilerplate import find_boilerplate
from curate.ingest.html.bounds import bound_html
from curate.ingest.html.charset import decode_html
from curate.ingest.html.main_content import choose_root
from curate.ingest.html.outline import build_outline
from curate.ingest.tables import clean_text, item_rows

_WEB_SCHEMES = ("http://", "https://")


def parse_page(body: bytes, *, url: str, charset: str | None) -> tuple[Item, ...]:
    """Return the items of a page; never raises, whatever the bytes.

    Args:
        body: The page as received, content encoding undone.
        url: Its final URL, the base of relative image URLs unless ``<base href>`` names another.
        charset: From the Content-Type header, null if that did not say.

    Returns:
        Text and image items in document order, boilerplate left out; empty where there is no content.
    """
    parser = LexborHTMLParser(bound_html(decode_html(body, charset=charset)))
    root = parser.body
    if root is None:  # a frameset
        return ()
    nodes = build_outline(root)
    dropped = find_boilerplate(nodes)
    return extract_items(nodes, dropped, root=choose_root(nodes, dropped), base_url=_base_url(parser, url))


def build_page_items(pages: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Parse fetched pages.

    Args:
        pages: PAGES.

    Returns:
        ITEMS of the pages that have any, and VERDICTS on the others: the fetch's reason, or ingest.empty_document.
    """
    check_schema(pages, PAGES, where="ingest/html")
    items: list[dict[str, object]] = []
    verdicts: list[Verdict] = []
    columns = ("doc_id", "url", "final_url", "status", "detail", "charset", "data")
    for row_id, url, final_url, status, detail, charset, data in zip(*(pages[name] for name in columns), strict=True):
        identity, fetched = row_id.as_py(), FetchStatus(status.as_py())
        if fetched is not FetchStatus.OK:
            reason, why = fetch_reason(fetched), clean_text(detail.as_py())
            verdicts.append(Verdict(doc_id=identity, stage=Stage.FETCH_PAGES, reason=reason, detail=why))
            continue
        found = parse_page(data.as_py() or b"", url=final_url.as_py() or url.as_py(), charset=charset.as_py())
        items.extend(item_rows(identity, found))
        if not found:
            reason, why = IngestReason.EMPTY_DOCUMENT, f"{url.as_py()}: no text and no image in the page's content"
            verdicts.append(Verdict(doc_id=identity, stage=Stage.PARSE_PAGES, reason=reason, detail=clean_text(why)))
    return table_from_rows(items, ITEMS), verdict_table(verdicts)


def _base_url(parser: LexborHTMLParser, url: str) -> str:
    element = parser.css_first("base[href]")
    href = ((element.attributes.get("href") if element is not None else None) or "").strip()
    if not href:
        return url
    try:
        base = urljoin(url, href)
    except ValueError:
        return url
    return base if base.lower().startswith(_WEB_SCHEMES) else url
