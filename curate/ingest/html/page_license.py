"""The licence that a page states of itself, looked for in all of it: footers, which are no content, are its place.

In this order: ``<link rel=license>``, ``<a rel=license>``, ``<meta>`` of Dublin Core or named ``license``, schema.org's
``license`` in JSON-LD. A link to a licence without ``rel`` may be about anything, and is not taken.
"""

import json
from collections.abc import Iterator
from itertools import chain

from selectolax.lexbor import LexborHTMLParser, LexborNode

from curate.contract.records import License
from curate.ingest.licenses import license_of_link, license_of_text, read_license

META_NAMES = ("dcterms.license", "dc.license", "license", "dcterms.rights", "dc.rights", "rights")
"""Names of ``<meta>`` elements, in any case, the first that says anything first."""
_METAS = frozenset(META_NAMES)
_QUERY = (
    'link[rel~="license" i],a[rel~="license" i],meta[name*="license" i],meta[name*="rights" i],'
    'script[type="application/ld+json" i]'
)
_MAX_ELEMENTS = 200
_MAX_JSON_CHARS = 1 << 20
_MAX_NODES = 1_000  # of one JSON-LD script
# What is part of a page has a licence of its own.
_PARTS = frozenset({"ImageObject", "VideoObject", "AudioObject", "MediaObject", "Photograph", "Dataset"})


def find_page_license(parser: LexborHTMLParser, *, base_url: str) -> License | None:
    """Return the first statement in the order above that can be read; None where there is none.

    Args:
        parser: The page.
        base_url: What relative addresses are relative to.
    """
    elements = parser.css(_QUERY)[:_MAX_ELEMENTS]
    if not elements:
        return None
    links = (_links(elements, tag, base_url) for tag in ("link", "a"))
    return next(chain(*links, _metas(elements), _scripts(elements)), None)


def _links(elements: list[LexborNode], tag: str, base_url: str) -> Iterator[License]:
    for element in elements:
        if element.tag == tag:
            href = (element.attributes.get("href") or "").strip()
            stated = license_of_link(href, base_url=base_url, stated_in=f"{tag} rel=license") if href else None
            yield from [] if stated is None else [stated]


def _metas(elements: list[LexborNode]) -> Iterator[License]:
    contents: dict[str, str] = {}
    for element in elements:
        if element.tag == "meta":
            name = (element.attributes.get("name") or "").strip().lower().replace(":", ".")
            content = element.attributes.get("content") or ""
            if name in _METAS and content.strip():
                contents.setdefault(name, content)
    for name in META_NAMES:
        stated = license_of_text(contents.get(name, ""), stated_in=f"meta {name}")
        yield from [] if stated is None else [stated]


def _scripts(elements: list[LexborNode]) -> Iterator[License]:
    for element in elements:
        text = element.text() if element.tag == "script" else ""
        if '"license"' in text and len(text) <= _MAX_JSON_CHARS:
            yield from _read_json_ld(text)


def _read_json_ld(text: str) -> Iterator[License]:
    try:
        nodes = _nodes(json.loads(text))
    except (ValueError, RecursionError):
        return
    for node in nodes:
        types = node.get("@type")
        named = {one for one in (types if isinstance(types, list) else [types]) if isinstance(one, str)}
        stated = None if named & _PARTS else read_license(node.get("license"), stated_in="json-ld")
        yield from [] if stated is None else [stated]


def _nodes(value: object) -> list[dict[str, object]]:
    """Return the objects that a script describes, which may stand alone, in a list or in a graph; not their parts."""
    listed = value if isinstance(value, list) else [value]
    nodes = [one for one in listed[:_MAX_NODES] if isinstance(one, dict)]
    graphs = [one["@graph"] for one in nodes if isinstance(one.get("@graph"), list)]
    return nodes + [one for graph in graphs for one in graph[:_MAX_NODES] if isinstance(one, dict)]
