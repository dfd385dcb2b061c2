"""From the bytes of a page to what it holds: main content only, in document order."""

from dataclasses import dataclass

import ada_url
from selectolax.lexbor import LexborHTMLParser

from curate.contract.records import Item, License
from curate.ingest.html.blocks import Content, extract_content
from curate.ingest.html.boilerplate import find_boilerplate
from curate.ingest.html.bounds import bound_html
from curate.ingest.html.charset import decode_html
from curate.ingest.html.lazy import find_standins
from curate.ingest.html.lead import add_lead
from curate.ingest.html.main_content import choose_root
from curate.ingest.html.measures import sum_up
from curate.ingest.html.outline import Nodes, build_outline
from curate.ingest.html.overlays import find_drawings
from curate.ingest.html.page_license import find_page_license
from curate.ingest.html.pictures import find_foreign_images
from curate.ingest.html.teasers import find_teasers
from curate.ingest.urls import resolve_url

_WEB_SCHEMES = ("http://", "https://")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What was read from a page."""

    items: tuple[Item, ...] = ()
    """Texts and images in document order, boilerplate left out; empty where there is no content."""

    num_missing_images: int = 0
    """Images of the content without any address that could be fetched."""

    license: License | None = None
    """As the page states it, anywhere in it."""


def read_page(body: bytes, *, url: str, charset: str | None) -> Page:
    """Read a page; never raises, whatever the bytes.

    Args:
        body: The page as received, content encoding undone.
        url: Its final URL, the base of relative image URLs unless ``<base href>`` names another.
        charset: From the Content-Type header, null if that did not say.
    """
    parser = LexborHTMLParser(bound_html(decode_html(body, charset=charset)))
    root = parser.body
    if root is None:  # a frameset
        return Page()
    base_url = _base_url(parser, url)
    stated = find_page_license(parser, base_url=base_url)
    content = _read_content(build_outline(root), base_url=base_url)
    return Page(items=content.items, num_missing_images=content.num_missing_images, license=stated)


def parse_page(body: bytes, *, url: str, charset: str | None) -> tuple[Item, ...]:
    """Return the items of a page alone; see `read_page`."""
    return read_page(body, url=url, charset=charset).items


def _read_content(nodes: Nodes, *, base_url: str) -> Content:
    dropped = find_boilerplate(nodes) | find_standins(nodes) | find_drawings(nodes)
    sums = sum_up(nodes, dropped)
    root, others = add_lead(nodes, dropped, sums, root=choose_root(nodes, dropped, sums))
    dropped |= others
    dropped |= find_teasers(nodes, dropped, sums, root=root)
    dropped |= find_foreign_images(nodes, dropped, sums, root=root)
    return extract_content(nodes, dropped, root=root, base_url=base_url)


def _base_url(parser: LexborHTMLParser, url: str) -> str:
    element = parser.css_first("base[href]")
    href = ((element.attributes.get("href") if element is not None else None) or "").strip()
    base = resolve_url(url, href) if href else url
    return base if base.startswith(_WEB_SCHEMES) and ada_url.check_url(base) else url
