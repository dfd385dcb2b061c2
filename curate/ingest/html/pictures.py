"""Which images belong to the content, and which are signs, portraits of authors, spacers or ways to other pages."""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from curate.ingest.html.image_urls import choose_image_url
from curate.ingest.html.measures import Sums
from curate.ingest.html.outline import IMAGES, Element, Nodes, live_elements

_FIGURES = frozenset({"figure", "picture"})
_ICON_PX = 48  # a side of at most this much shows nothing that a text tells of
_SMALL_PX = 130  # the usual size of portraits and thumbnails
_MAX_LINE_RATIO = 8  # wider or higher: a rule or a banner
_THRESHOLD = 1.0
_NEAR = 8  # parents up to which links and figures are looked for
_NEAR_PEOPLE = 4  # parents up to which names tell of a portrait; further up they tell who wrote the article
_DESCRIBED_WORDS = 4
_DESCRIBED_CHARS = 8  # where words are not parted by blanks
_REPEATED = 0.5  # a picture is shown once, a sign at every place
_TITLE_SHARE = 0.8
_MAX_TITLE_WAY = 60  # nodes between a teaser's picture and its title
_INLINE = frozenset({"a", "b", "strong", "em", "i", "span", "font", "u", "small", "h1", "h2", "h3", "h4", "h5", "h6"})

_WORD = re.compile(r"[a-z]+")
_SIGNS = frozenset(
    {"avatar", "avatars", "gravatar", "logo", "logos", "icon", "icons", "ico", "favicon", "sprite", "sprites", "pixel"}
    | {"spacer", "blank", "clear", "emoji", "smiley", "smilies", "button", "btn", "badge", "badges", "arrow", "bullet"}
    | {"loading", "loader", "spinner", "placeholder", "transparent", "tracking", "beacon", "captcha", "achievements"}
    | {"headshot", "mugshot", "minus", "plus", "separator", "divider", "widget", "widgets", "banner", "ads"}
)
_PEOPLE = frozenset({"author", "authors", "byline", "bio", "profile", "avatar", "user", "commenter", "contributor"})
_IMAGE_FILE = re.compile(r"\.(?:jpe?g|png|gif|webp|avif|bmp|tiff?|svg)\b|/(?:file|image|datei|fichier):", re.IGNORECASE)
_STYLE_SIZE = re.compile(r"(?<![-\w])(width|height)\s*:\s*(\d{1,5})(?:\.\d+)?px", re.IGNORECASE)
_SIZE_IN_URL = re.compile(r"(?<![^\W_])(\d{2,4})x(\d{2,4})(?![^\W_])")


def find_foreign_images(nodes: Nodes, dropped: set[int], sums: Sums, *, root: int) -> set[int]:
    """Return the indices of the images under ``root`` that are none of the content's.

    Args:
        nodes: The page.
        dropped: What is left out already.
        sums: Of the page.
        root: Index of the element that holds the content.
    """
    images = [(index, node) for index, node in live_elements(nodes, dropped, root=root, tags=IMAGES)]
    if not images:
        return set()
    urls = [choose_image_url(image) or "" for _, image in images]
    uses = Counter(urls)
    titles = _title_targets(nodes, dropped, sums, root)
    return {
        index
        for (index, image), url in zip(images, urls, strict=True)
        if _weigh_image(image, url) + _weigh_place(nodes, index, image, titles) + (_REPEATED if uses[url] > 1 else 0)
        >= _THRESHOLD
    }


def read_size(image: Element) -> tuple[int | None, int | None]:
    """Return width and height in CSS px as the page states them, null where it does not (or in percent)."""
    sizes = {"width": _read_px(image.get("width")), "height": _read_px(image.get("height"))}
    for name, digits in _STYLE_SIZE.findall(image.get("style")):
        sizes[name.lower()] = int(digits)
    return sizes["width"], sizes["height"]


def _weigh_place(nodes: Nodes, index: int, image: Element, titles: dict[str, list[int]]) -> float:
    """Return how much the elements around an image speak against it."""
    weight = 0.0
    in_figure = False
    href = ""
    for level, (_, parent) in enumerate(_parents(nodes, image)):
        in_figure = in_figure or parent.tag in _FIGURES
        href = href or (parent.get("href") if parent.tag == "a" else "")
        weight += 0.5 if parent.tag == "button" else 0
        if level < _NEAR_PEOPLE and _words(f"{parent.get('class')} {parent.get('id')}") & _PEOPLE:
            weight = max(weight, 0.6)
    if href and href[0] != "#" and not _IMAGE_FILE.search(href):
        weight += 0.3
        weight += 1.2 if _is_near(titles.get(href, ()), index) else 0
        weight += 0.7 if url_path(href) in {"", "/", "./"} and "?" not in href else 0  # home: the sign of the site
    return weight - (0.5 if in_figure else 0)


def _is_near(places: Sequence[int], index: int) -> bool:
    """Tell whether one of some ascending places is near another."""
    first = bisect_left(places, index - _MAX_TITLE_WAY)
    return first < len(places) and places[first] < index + _MAX_TITLE_WAY


def _weigh_image(image: Element, url: str) -> float:
    """Return how much an image's own size and names speak against it."""
    names = _words(f"{image.get('class')} {image.get('id')}")
    folder, _, name = url_path(url).rpartition("/")
    weight = 1.0 if names & (_SIGNS | _PEOPLE) else 0
    by_url = 1.0 if _words(name) & _SIGNS else 0.8 if _words(folder) & _SIGNS else 0
    weight += by_url / 2 if _is_description(image.get("alt")) else by_url
    weight += 0.5 if name.endswith(".svg") else 0  # drawings of programs; most are signs
    return weight + _weigh_size(image, url)


def _is_description(alt: str) -> bool:
    """Tell whether someone says what is to be seen, be it a button or a logo, rather than what it is called."""
    return len(alt.split()) >= _DESCRIBED_WORDS or (len(alt) >= _DESCRIBED_CHARS and max(alt) >= "\u2e80")


def _weigh_size(image: Element, url: str) -> float:
    width, height = read_size(image)
    known = [side for side in (width, height) if side]  # 0 is what scripts leave where they have not measured yet
    if known and min(known) == 1 and url != image.get("src"):
        known = []  # the size of what stands there until the picture is loaded
    if known and min(known) <= _ICON_PX:
        return 2
    if width and height and max(width, height) > _MAX_LINE_RATIO * min(width, height):
        return 0.7
    if known:
        return 0.6 if max(known) <= _SMALL_PX else 0
    sizes = [max(int(a), int(b)) for a, b in _SIZE_IN_URL.findall(url)]
    return 1 if sizes and min(sizes) <= _SMALL_PX else 0


def url_path(url: str) -> str:
    """Return the path of a URL; empty where it is none."""
    try:
        return urlsplit(url).path
    except ValueError:
        return ""


def _parents(nodes: Nodes, element: Element) -> Iterator[tuple[int, Element]]:
    for _ in range(_NEAR):
        index = element.parent
        parent = nodes[index] if index >= 0 else ""
        if isinstance(parent, str):
            return
        yield index, parent
        element = parent


def _end(nodes: Nodes, index: int) -> int:
    element = nodes[index]
    return index + 1 if isinstance(element, str) else element.end


def _title_targets(nodes: Nodes, dropped: set[int], sums: Sums, root: int) -> dict[str, list[int]]:
    """Return where those links lead that are all the text of their block, as the title of a teaser is, and stand."""
    targets: dict[str, list[int]] = {}
    for index, link in live_elements(nodes, dropped, root=root, tags={"a"}):
        href = link.get("href")
        own = sums.text[link.end] - sums.text[index]
        if not own or not href or href[0] == "#":
            continue
        block = next((place for place, parent in _parents(nodes, link) if parent.tag not in _INLINE), index)
        if own >= _TITLE_SHARE * (sums.text[_end(nodes, block)] - sums.text[block]):
            targets.setdefault(href, []).append(index)
    return targets


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(re.sub(r"([a-z])([A-Z])", r"\1 \2", text).lower()))


def _read_px(value: str) -> int | None:
    digits = value.removesuffix("px").strip()
    whole = digits.partition(".")[0]
    return int(whole) if whole.isascii() and whole.isdigit() and len(whole) < 6 else None  # noqa: PLR2004  # any real side
