"""Keeping a hostile or broken page from costing the parser more than its size.

The HTML standard makes three things quadratic, each measured with lexbor: unclosed formatting elements are opened
again in every new block (``<p><b id=1><p><b id=2>...``: 27 kB became 734 MB), every block start searches the stack of
open elements (50,000 nested ``<div>`` took 2.4 s, 20,000 took 0.6 s), and every attribute is compared with those
before it.
"""

import re
from collections import defaultdict

MAX_CHARS = 8 << 20
"""What follows is cut off. It is twice the length of War and Peace, markup included."""

_MAX_CLONES = 500_000
_MAX_DEPTH = 10_000
_MAX_ATTRIBUTES = 2_000

_FORMATTING = re.compile(
    r"<(/?)(a|b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)(?=[\s/>])[^>]*>", re.IGNORECASE
)
_NESTING = re.compile(
    r"<(/?)(?:div|section|article|main|ul|ol|dl|table|blockquote|center|details|figure|fieldset|form|span"
    r"|header|footer|nav|aside|font|b|i|a)(?=[\s/>])",
    re.IGNORECASE,
)
_LONG_TAG = re.compile(r"<[a-z][^<>]{8192,}(?:>|$)", re.IGNORECASE)


def bound_html(text: str) -> str:
    """Return a page that parses in reasonable time and memory; an ordinary one comes back unchanged.

    Cut off is what follows 8 Mi characters or nests deeper than 10,000 elements; taken out are tags with more than
    2,000 words and, where unclosed ones would multiply, all formatting tags (their text stays).
    """
    text = text[:MAX_CHARS]
    num_tags = text.count("<")
    text = _LONG_TAG.sub(_drop_crowded, text)
    if _count_unclosed(text) * num_tags > _MAX_CLONES:
        text = _FORMATTING.sub("", text)
    return _cut_deep(text) if num_tags > _MAX_DEPTH else text


def _count_unclosed(text: str) -> int:
    """Return the largest number of formatting elements open at once, were none closed by anything but its end tag."""
    num_open: defaultdict[str, int] = defaultdict(int)
    total = most = 0
    for match in _FORMATTING.finditer(text):
        name = match.group(2).lower()
        if not match.group(1):
            num_open[name] += 1
            total += 1
            most = max(most, total)
        elif num_open[name]:
            num_open[name] -= 1
            total -= 1
    return most


def _cut_deep(text: str) -> str:
    depth = 0
    for match in _NESTING.finditer(text):
        depth = max(0, depth - 1) if match.group(1) else depth + 1
        if depth > _MAX_DEPTH:
            return text[: match.start()]
    return text


def _drop_crowded(match: re.Match[str]) -> str:
    # A long tag is nearly always one data: URL; only a crowd of attributes is costly.
    tag = match.group()
    return "" if len(tag.split(None, _MAX_ATTRIBUTES + 1)) > _MAX_ATTRIBUTES else tag
