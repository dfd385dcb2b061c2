"""The character encoding of a page, by the rules that browsers follow."""

import codecs
import re

import chardet
import webencodings

_PRESCAN_BYTES = 4096  # browsers look at 1,024; longer preambles are common and looking costs nothing
_META = re.compile(rb"<meta[^>]{0,512}?charset\s*=\s*[\"']?\s*([\w:.+-]{1,40})", re.IGNORECASE)
_XML = re.compile(rb"^\s*<\?xml[^>]{0,256}?encoding\s*=\s*[\"']([\w:.+-]{1,40})", re.IGNORECASE)
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))

# Python's codecs where they bear another name, or where what pages so labelled really hold is a vendor's superset.
_CODECS = {
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc-kr": "cp949",
    "big5": "big5hkscs",
    "windows-874": "cp874",
    "iso-8859-8-i": "iso8859-8",
    "macintosh": "mac-roman",
    "x-mac-cyrillic": "mac-cyrillic",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
}
_NAMES = {codec: name for name, codec in _CODECS.items()}
_DETECTED_BYTES = 1 << 16
_LEAD_BYTES = 256  # markup before the first other byte tells the detector that it sees a page
_FOREIGN = re.compile(rb"[\x80-\xff]")
_UTF8_ERRORS = 0.05  # share of the other letters below which a page is UTF-8 with a slip
_NULS = 0.2  # share of the first bytes from which a page is UTF-16 without a mark


def decode_html(body: bytes, *, charset: str | None) -> str:
    """Return the text of a page; undecodable bytes become U+FFFD.

    The encoding is the first that is known of: the byte order mark, the HTTP header, ``<meta charset>`` or the XML
    declaration, UTF-8 where the bytes are that, the one that chardet finds, windows-1252. The mark comes first because
    it cannot be wrong (WHATWG Encoding, "decode"); the labels are those of its table.

    Args:
        body: As received, content encoding undone.
        charset: From the Content-Type header.
    """
    for mark, name in _BOMS:
        if body.startswith(mark):
            return body[len(mark) :].decode(name, "replace")
    name = _find_encoding(charset) or _declared_encoding(body[:_PRESCAN_BYTES]) or ""
    return _decode(body, name) if name else _decode_undeclared(body)


def _decode(body: bytes, name: str) -> str:
    """Decode by the standard's name of an encoding."""
    encoding = webencodings.lookup(name)
    if encoding is None or name == "replacement":  # what the standard refuses to read: it would hide scripts
        return "\ufffd" if body else ""
    if name == "x-user-defined":
        return str(encoding.codec_info.decode(body, "replace")[0])
    return body.decode(_CODECS.get(name, name), "replace")


def _decode_undeclared(body: bytes) -> str:
    start = body[:_PRESCAN_BYTES]
    if start.count(0) <= _NULS * len(start):
        text = body.decode("utf-8", "replace")
        wrong = text.count("\ufffd")
        if not wrong or wrong <= _UTF8_ERRORS * _count_foreign(text):
            return text
    return _decode(body, _detect(body))


def _count_foreign(text: str) -> int:
    return len(text) - len(text.encode("ascii", "ignore"))


def _detect(body: bytes) -> str:
    match = _FOREIGN.search(body)
    first = max(0, match.start() - _LEAD_BYTES) if match else 0
    found = chardet.detect(
        body[first : first + _DETECTED_BYTES], encoding_era=chardet.EncodingEra.MODERN_WEB, prefer_superset=True
    )
    codec = (found["encoding"] or "").lower()
    name = _find_encoding(codec) or _NAMES.get(codec)
    return "windows-1252" if name is None or name in {"utf-8", "replacement"} else name


def _declared_encoding(start: bytes) -> str | None:
    match = _META.search(start) or _XML.search(start)
    name = _find_encoding(match.group(1).decode("ascii", "replace")) if match else None
    if name is not None and name.startswith("utf-16"):
        return "utf-8"  # the declaration was readable as ASCII, so it cannot be UTF-16 (WHATWG HTML, prescan)
    return "windows-1252" if name == "x-user-defined" else name


def _find_encoding(label: str | None) -> str | None:
    """Return the standard's name of the encoding that a label means, null where it has none such."""
    encoding = webencodings.lookup(label.strip("\"' \t")) if label else None
    return None if encoding is None else str(encoding.name)
