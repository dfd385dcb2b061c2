"""Which of an image's addresses to take."""

import re
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import urlsplit

from curate.ingest.html.outline import Element

_LAZY_NAMES = ("data-src", "data-lazy-src", "data-original", "data-lazy")
_LAZY_SETS = ("data-srcset", "data-lazy-srcset")
_PLACEHOLDER_SCHEMES = ("data:", "about:", "blob:", "javascript:")
_PLACEHOLDER_FILE = re.compile(
    r"(?:^|[/_.-])(?:spacer|blank|placeholder|transparent|loading|loader|lazy(?:load)?|pixel|1x1|dummy|clear|grey|gray)"
    r"(?:[_.-][\w.-]*)?\.(?:gif|png|svg|jpe?g|webp)$",
    re.IGNORECASE,
)
# An attribute of any name holds an image's address if it reads like one, not like an id, a flag or a page.
_IMAGE_ADDRESS = re.compile(
    r"(?:(?:https?:)?//|/|\.{0,2}/|[\w%-])[^\s\"'<>{}|]*\.(?:jpe?g|png|gif|webp|avif|bmp)(?:[?#][^\s]*)?", re.IGNORECASE
)
_NO_ADDRESS_NAMES = frozenset({"src", "srcset", "alt", "title", "class", "id", "style", "sizes", "longdesc", "name"})
_PIXEL_SIDES = frozenset({"0", "1", "1px"})
_MAX_FILE_CHARS = 100
_UNSUPPORTED_TYPES = frozenset({"image/avif", "image/jxl", "image/heic", "image/svg+xml"})
_WANTED_WIDTH_PX = 1024  # enough for every vision tower in use (336-448 px) after cropping; larger costs only traffic
_ENOUGH_WIDTH_PX = 336  # what the smallest of them takes
_HUGE_WIDTH_PX = 3000  # traffic and decoding for nothing, where another will do


def choose_image_url(image: Element, *, sources: Sequence[Element] = ()) -> str | None:
    """Return the address of an image as written in the page, or null where it has none that can be fetched.

    In this order: attributes of lazy loading (then ``src`` is a placeholder or a blurred preview); the best candidate
    of known width, of ``srcset``, then of the ``<source>`` elements whose format most programs decode; ``src``, unless
    it is a placeholder; any other ``srcset`` candidate; any attribute that reads like an image's address; any other
    ``<source>``. A placeholder with an address of its own is taken where there is nothing else.

    The best is the smallest of 1,024 to 3,000 px, else the largest of at least 336 px, else what comes nearest.

    Args:
        image: An ``<img>``.
        sources: The ``<source>`` elements of the ``<picture>`` around it, in order.
    """
    return next((url for url in _candidates(image, sources) if not url.lower().startswith(_PLACEHOLDER_SCHEMES)), None)


def file_name(url: str) -> str:
    """Return the last part of a URL's path: what stays the same when a picture is offered in several sizes."""
    try:
        return urlsplit(url).path.rpartition("/")[2].lower()
    except ValueError:
        return ""


def parse_srcset(srcset: str) -> list[tuple[str, int | None]]:
    """Return the (URL, width in px or null) of every candidate (WHATWG HTML, 4.8.4.3.1).

    A URL may hold commas: it ends at white space, or before commas that white space follows.
    """
    found: list[tuple[str, int | None]] = []
    url = ""
    width: int | None = None
    for word in srcset.split():
        rest = word
        if url:
            descriptor, comma, rest = word.partition(",")
            width = _read_width(descriptor) or width
            if not comma:
                continue
            found.append((url, width))
        url, width = rest.strip(","), None
        if url and rest.endswith(","):
            found.append((url, None))
            url = ""
    return [*found, (url, width)] if url else found


def _candidates(image: Element, sources: Sequence[Element]) -> Iterator[str]:
    # A lazy attribute may hold an id or a flag of some script; an address has a slash or a dot.
    yield from (url for name in _LAZY_NAMES if (url := image.get(name)) and ("/" in url or "." in url))
    yield from _ranked(image.get(name) for name in _LAZY_SETS)
    srcset = image.get("srcset")
    if any(width for _, width in parse_srcset(srcset)):
        yield from _ranked([srcset])
    common = [source for source in sources if source.get("type").lower() not in _UNSUPPORTED_TYPES]
    yield from _wide_sources(common)
    src = image.get("src")
    is_pixel = not _PIXEL_SIDES.isdisjoint((image.get("width"), image.get("height")))
    is_placeholder = (
        src == "#" or is_pixel or _PLACEHOLDER_FILE.search(src.partition("?")[0][-_MAX_FILE_CHARS:]) is not None
    )
    if src and not is_placeholder:
        yield src
    yield from _ranked([srcset])
    yield from _unnamed(image)
    for source in [*common, *(source for source in sources if source not in common)]:
        yield from _ranked(source.get(name) for name in ("srcset", *_LAZY_SETS))
    if is_placeholder and src != "#":
        yield src


def _wide_sources(sources: Iterable[Element]) -> Iterator[str]:
    """Yield candidates of known width, those for narrow screens (often cropped) last."""
    for source in sorted(sources, key=lambda source: "max-width" in source.get("media")):
        for name in ("srcset", *_LAZY_SETS):
            widths = parse_srcset(source.get(name))
            if any(width and width >= _ENOUGH_WIDTH_PX for _, width in widths):
                yield from _ranked([source.get(name)])


def _unnamed(image: Element) -> Iterator[str]:
    """Yield the addresses in attributes that only the page's own script knows."""
    for name in image.attrs:
        value = image.get(name)
        if name in _NO_ADDRESS_NAMES or not value or len(value) > 2048:  # noqa: PLR2004  # longer URLs are not served
            continue
        if " " in value:
            candidates = parse_srcset(value)
            if all(width and _IMAGE_ADDRESS.fullmatch(url) for url, width in candidates):
                yield from _ranked([value])
        elif _IMAGE_ADDRESS.fullmatch(value):
            yield value


def _ranked(srcsets: Iterable[str]) -> Iterator[str]:
    for srcset in srcsets:
        candidates = parse_srcset(srcset)
        yield from (url for url, _ in sorted(candidates, key=lambda candidate: _rank(candidate[1])))


def _rank(width: int | None) -> tuple[int, int]:
    if width is None:
        return 4, 0
    if width > _HUGE_WIDTH_PX:
        return 2, width
    if width >= _WANTED_WIDTH_PX:
        return 0, width
    return (1 if width >= _ENOUGH_WIDTH_PX else 3), -width


def _read_width(descriptor: str) -> int | None:
    digits = descriptor[:-1]
    is_width = descriptor.endswith("w") and digits.isascii() and digits.isdigit() and len(digits) < 10  # noqa: PLR2004  # any real width
    return int(digits) if is_width else None
