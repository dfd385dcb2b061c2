"""The `<meta>` elements at the beginning of a page, found without a parser: every page passes here while others wait.

Comments and what is text to a browser (scripts, titles, ...) are skipped, and so is `<noscript>`: what stands there is
for browsers without scripts, such as a refresh to a page that says so. The time taken grows with the bytes looked at.
"""

import html
import re

from curate.fetch.decode.sniff import as_utf8

MAX_BYTES = 131_072
"""How much of a page is looked at; inline styles and scripts of a large head stay below."""

MAX_TAGS = 500

_TOKEN = re.compile(
    rb"<!--|<(script|style|noscript|title|textarea|template|xmp|iframe|noframes)(?=[\s/>])|<(meta)(?=[\s/])",
    re.IGNORECASE,
)
_ATTRIBUTE = re.compile(
    rb"[\s/]*([^\s/>=]{1,64})(?:\s{0,64}=\s{0,64}(?:\"([^\"]{0,4096})\"|'([^']{0,4096})'|([^\s>\"'][^\s>]{0,4096})))?"
)
_COMMENT, _COMMENT_END = b"<!--", b"-->"


def meta_tags(data: bytes) -> list[dict[str, str]]:
    """Return each element's attributes, names in lower case, values without character references."""
    text = as_utf8(data[:MAX_BYTES])
    tags: list[dict[str, str]] = []
    position = 0
    while len(tags) < MAX_TAGS and (token := _TOKEN.search(text, position)) is not None:
        if token[2] is not None:
            attributes, position = _attributes(text, token.end())
            tags.append(attributes)
        else:
            position = _end(text, token)
            if position < 0:
                break
    return tags


def meta_contents(tags: list[dict[str, str]], attribute: str, *names: str) -> list[str]:
    """Return the contents of the elements whose `attribute` is one of `names`, in any case."""
    return [tag["content"] for tag in tags if tag.get(attribute, "").strip().lower() in names and "content" in tag]


def _end(text: bytes, token: re.Match[bytes]) -> int:
    """Return where what a token has opened is closed, or -1."""
    if token[0] == _COMMENT:
        return text.find(_COMMENT_END, token.start() + len(b"<!"))
    closing = re.compile(rb"</" + token[1] + rb"(?=[\s/>])", re.IGNORECASE).search(text, token.end())
    return closing.end() if closing is not None else -1


def _attributes(text: bytes, position: int) -> tuple[dict[str, str], int]:
    """Return the attributes that begin at a position, of equal names the first, and where they end."""
    found: dict[str, str] = {}
    while (match := _ATTRIBUTE.match(text, position)) is not None:
        position = match.end()
        value = next((group for group in match.groups()[1:] if group is not None), b"")
        found.setdefault(match[1].decode("latin-1").lower(), html.unescape(value.decode("utf-8", "replace")))
    return found, position
