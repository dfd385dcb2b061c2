"""What a page or a row says of its licence, as one fact: a short id where the licence is known, the words else.

Nothing is guessed: an id is given to the addresses of Creative Commons, SPDX and the Open Source Initiative, to SPDX's
own ids and to the full names of Creative Commons' licences, and to nothing that merely resembles one.
"""

import re

import ada_url

from curate.contract.records import License
from curate.ingest.urls import resolve_url

MAX_TEXT_CHARS = 200
"""Of a statement in words; what follows is cut off."""
MAX_URL_CHARS = 2048
_MAX_READ_CHARS = 4096  # of a statement: a hostile one may have megabytes
_MAX_LISTED = 10
_FIELDS = ("url", "id", "@id", "text", "name")  # of an object that describes a licence, the first that says anything
_UNSAID = frozenset({"", "?", "-", "none", "null", "nan", "n/a", "na", "unknown", "not specified", "unspecified"})
_WEB = re.compile(r"https?://[^\s/]", re.IGNORECASE)
_IN_TEXT = re.compile(r"https?://(?:www\.)?creativecommons\.org/[^\s\"'<>()]{1,200}", re.IGNORECASE)

_KIND = "by(?:-nc)?(?:-nd|-sa)?"
_VERSION = r"[1-3]\.0|2\.1|2\.5|4\.0"
# Where the licences were ported to the law of a country, up to version 3.0.
_PORTS = (
    "am|at|au|az|be|br|ca|ch|cl|cn|co|cr|cz|de|dk|ec|ee|eg|es|fi|fr|ge|gr|gt|hk|hr|hu|ie|igo|il|in|it|jp|kr|lu|mk|mt|mx"
    "|my|nl|no|nz|pe|ph|pl|pr|pt|ro|rs|scotland|se|sg|si|th|tw|ug|uk|us|ve|vn|za"
)
_CC_URL = re.compile(
    rf"https?://(?:www\.)?creativecommons\.org/licenses/({_KIND})/({_VERSION})(?:/({_PORTS}))?(?=[/?#.,;]|$)",
    re.IGNORECASE,
)
_PUBLIC_URL = re.compile(
    r"https?://(?:www\.)?creativecommons\.org/publicdomain/(zero|mark)/1\.0(?=[/?#.,;]|$)", re.IGNORECASE
)
_LISTED_URL = re.compile(
    r"https?://(?:www\.)?(?:opensource\.org/licenses?|spdx\.org/licenses)/([\w.+-]{1,40}?)(?:\.html|\.php)?/?",
    re.IGNORECASE,
)
_CC_WORDS = re.compile(rf"(?:cc[ -])({_KIND.replace('-', '[ -]')})[ -]({_VERSION})(?:[ -]({_PORTS}))?", re.IGNORECASE)
_CC_NAME = re.compile(
    r"(?:creative commons )?attribution(-noncommercial)?(-noderivatives|-noderivs|-sharealike)?"
    rf" ({_VERSION})(?: (?:international|unported|generic))?(?: (?:public )?licen[sc]e)?",
    re.IGNORECASE,
)
_CC0_WORDS = re.compile(r"(?:creative commons )?cc0(?:[ -]1\.0)?(?: universal)?", re.IGNORECASE)
_PUBLIC_IDS = {"zero": "CC0-1.0", "mark": "CC-PDM-1.0"}
_NAME_PARTS = {"-noncommercial": "-NC", "-noderivatives": "-ND", "-noderivs": "-ND", "-sharealike": "-SA"}
_SPDX = (
    "0BSD AGPL-3.0-only AGPL-3.0-or-later Apache-2.0 Artistic-2.0 BSD-2-Clause BSD-3-Clause BSL-1.0 CC-PDDC CC-PDM-1.0"
    " CDLA-Permissive-1.0 CDLA-Permissive-2.0 CDLA-Sharing-1.0 ECL-2.0 EPL-2.0 EUPL-1.2 GFDL-1.2-only GFDL-1.2-or-later"
    " GFDL-1.3-only GFDL-1.3-or-later GPL-2.0-only GPL-2.0-or-later GPL-3.0-only GPL-3.0-or-later ISC LGPL-2.1-only"
    " LGPL-2.1-or-later LGPL-3.0-only LGPL-3.0-or-later MIT MIT-0 MPL-2.0 OGL-UK-3.0 ODbL-1.0 ODC-By-1.0 PDDL-1.0"
    " Unlicense WTFPL Zlib"
)
_BY_LOWER = {name.lower(): name for name in _SPDX.split()}


def license_of_link(href: str, *, base_url: str | None, stated_in: str) -> License | None:
    """Return the licence that a link leads to; None where that is no http(s) address of reasonable length.

    Args:
        href: As written.
        base_url: What a relative one is relative to.
        stated_in: Where the link stands.
    """
    if len(href) > MAX_URL_CHARS:
        return None
    url = _printable(resolve_url(base_url, href))
    if not _WEB.match(url) or len(url) > MAX_URL_CHARS or not ada_url.check_url(url):
        return None
    return License(id=_id_of_url(url), url=url, stated_in=stated_in)


def license_of_text(text: str, *, stated_in: str) -> License | None:
    """Return the licence that is stated in words, or by an address alone; None where nothing is said.

    Words that name one of Creative Commons' addresses state that licence; of two different ones neither is taken.
    """
    words = _printable(" ".join(text[:_MAX_READ_CHARS].split()))
    if words.casefold() in _UNSAID:
        return None
    if _WEB.match(words) and " " not in words:
        return license_of_link(words, base_url=None, stated_in=stated_in)
    urls = {known: url for url in reversed(_IN_TEXT.findall(words)) if (known := _id_of_url(url)) is not None}
    known_id = _id_of_words(words)
    if known_id is None and len(urls) == 1:
        known_id = next(iter(urls))
    url = None if known_id is None else urls.get(known_id)
    return License(id=known_id, url=url, text=words[:MAX_TEXT_CHARS], stated_in=stated_in)


def read_license(value: object, *, stated_in: str) -> License | None:
    """Return what a value says, be it words, an address, an object or a list.

    Args:
        value: Of JSON.
        stated_in: Where it stands.
    """
    if isinstance(value, list):
        found = (read_license(one, stated_in=stated_in) for one in value[:_MAX_LISTED] if not isinstance(one, list))
        return next((one for one in found if one is not None), None)
    texts = [value.get(name) for name in _FIELDS] if isinstance(value, dict) else [value]
    stated = (license_of_text(text, stated_in=stated_in) for text in texts if isinstance(text, str))
    return next((one for one in stated if one is not None), None)


def _id_of_url(url: str) -> str | None:
    if (found := _CC_URL.match(url)) is not None:
        return _cc_id(*found.groups())
    if (found := _PUBLIC_URL.match(url)) is not None:
        return _PUBLIC_IDS[found[1].lower()]
    found = _LISTED_URL.fullmatch(url)
    return None if found is None else _BY_LOWER.get(found[1].lower())


def _id_of_words(words: str) -> str | None:
    if words.lower() in _BY_LOWER:
        return _BY_LOWER[words.lower()]
    if _CC0_WORDS.fullmatch(words):
        return _PUBLIC_IDS["zero"]
    if (found := _CC_WORDS.fullmatch(words)) is not None:
        return _cc_id(found[1].replace(" ", "-"), found[2], found[3])
    if (found := _CC_NAME.fullmatch(words)) is None:
        return None
    return f"CC-BY{''.join(_NAME_PARTS[part.lower()] for part in found.groups()[:2] if part)}-{found[3]}"


def _cc_id(kind: str, version: str, port: str | None) -> str:
    return "-".join(("CC", kind.upper(), version, *([] if port is None else [port.upper()])))


def _printable(text: str) -> str:
    """Drop what shows nothing or turns the direction of what follows; lone surrogates are among it."""
    return text if text.isprintable() else "".join(filter(str.isprintable, text))
