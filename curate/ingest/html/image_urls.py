"""Which of an image's addresses to take."""

from collections.abc import Iterable, Iterator, Sequence

from curate.ingest.html.outline import Element

_LAZY_NAMES = ("data-src", "data-lazy-src", "data-original", "data-lazy")
_LAZY_SETS = ("data-srcset", "data-lazy-srcset")
_PLACEHOLDER_SCHEMES = ("data:", "about:", "blob:", "javascript:")
_UNSUPPORTED_TYPES = frozenset({"image/avif", "image/jxl", "image/heic", "image/svg+xml"})
_WANTED_WIDTH_PX = 1024  # enough for every vision tower in use (384-448 px) after cropping; larger costs only traffic


def choose_image_url(image: Element, *, sources: Sequence[Element] = ()) -> str | None:
    """Return the address of an image as written in the page, or null where it has none.

    In this order: attributes of lazy loading (then ``src`` is a placeholder or a blurred preview); the ``srcset``
    candidate with the smallest known width of at least 1,024 px, else the widest; ``src``; any other ``srcset``
    candidate; ``<source>`` elements of the picture, formats that few programs decode last. A ``data:`` address and the
    like is returned only where there is nothing else.

    Args:
        image: An ``<img>``.
        sources: The ``<source>`` elements of the ``<picture>`` around it, in order.
    """
    fallback = None
    for url in _candidates(image, sources):
        if not url.lower().startswith(_PLACEHOLDER_SCHEMES):
            return url
        fallback = fallback or url
    return fallback


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
    if src := image.get("src"):
        yield src
    yield from _ranked([srcset])
    for source in sorted(sources, key=lambda source: source.get("type").lower() in _UNSUPPORTED_TYPES):
        yield from _ranked(source.get(name) for name in ("srcset", *_LAZY_SETS))


def _ranked(srcsets: Iterable[str]) -> Iterator[str]:
    for srcset in srcsets:
        candidates = parse_srcset(srcset)
        yield from (url for url, _ in sorted(candidates, key=lambda candidate: _rank(candidate[1])))


def _rank(width: int | None) -> tuple[int, int]:
    if width is None:
        return 2, 0
    return (0, width) if width >= _WANTED_WIDTH_PX else (1, -width)


def _read_width(descriptor: str) -> int | None:
    digits = descriptor[:-1]
    is_width = descriptor.endswith("w") and digits.isascii() and digits.isdigit() and len(digits) < 10  # noqa: PLR2004  # any real width
    return int(digits) if is_width else None
