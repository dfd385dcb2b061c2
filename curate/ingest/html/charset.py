"""The character encoding of a page, by the rules that browsers follow."""

import codecs
import re

_PRESCAN_BYTES = 4096  # browsers look at 1,024; longer preambles are common and looking costs nothing
_META = re.compile(rb"<meta[^>]{0,512}?charset\s*=\s*[\"']?\s*([\w:.+-]{1,40})", re.IGNORECASE)
_XML = re.compile(rb"^\s*<\?xml[^>]{0,256}?encoding\s*=\s*[\"']([\w:.+-]{1,40})", re.IGNORECASE)
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))

# What pages so labelled really hold (WHATWG Encoding, 4.2): the Windows and vendor supersets.
_SUPERSETS = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
}
# Names of Python codecs. Others are not for the web, and some (unicode_escape, utf-7, idna) would rewrite the text.
_ALLOWED = frozenset(
    {"utf-8", "utf-16", "utf-16-le", "utf-16-be", "gb18030", "cp932", "cp949", "big5hkscs", "euc_jp", "iso2022_jp"}
    | {"cp866", "cp874", "koi8-r", "koi8-u", "mac-roman", "mac-cyrillic", "johab"}
    | {f"cp{number}" for number in range(1250, 1259)}
    | {f"iso8859-{number}" for number in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)}
)


def decode_html(body: bytes, *, charset: str | None) -> str:
    """Return the text of a page; undecodable bytes become U+FFFD.

    The encoding is the first that is known of: the byte order mark, the HTTP header, ``<meta charset>`` or the XML
    declaration, UTF-8. The mark comes first because it cannot be wrong (WHATWG Encoding, "decode").

    Args:
        body: As received, content encoding undone.
        charset: From the Content-Type header.
    """
    for mark, name in _BOMS:
        if body.startswith(mark):
            return body[len(mark) :].decode(name, "replace")
    name = _known_codec(charset) or _declared_codec(body[:_PRESCAN_BYTES]) or "utf-8"
    return body.decode(name, "replace")


def _declared_codec(start: bytes) -> str | None:
    match = _META.search(start) or _XML.search(start)
    name = _known_codec(match.group(1).decode("ascii", "replace")) if match else None
    # The declaration was readable as ASCII, so it cannot be UTF-16 (WHATWG HTML, prescan).
    return "utf-8" if name is not None and name.startswith("utf-16") else name


def _known_codec(label: str | None) -> str | None:
    if label is None:
        return None
    try:
        name = codecs.lookup(label.strip("\"' \t")).name
    except (LookupError, ValueError):  # ValueError: a NUL in the label
        return None
    name = _SUPERSETS.get(name, name)
    return name if name in _ALLOWED else None
