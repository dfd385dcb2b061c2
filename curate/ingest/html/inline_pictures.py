"""Pictures that stand for letters in a sentence: emoji, smileys, formulas."""

import re
import unicodedata

_WORD = re.compile(r"[a-z]+")
_CLASSES = frozenset(
    {"emoji", "emojis", "emojione", "twemoji", "emote", "emoticon", "emoticons", "smiley", "smileys", "smilie"}
    | {"smilies", "tex", "latex", "math", "mathtex", "formula", "equation"}
)
_FOLDERS = _CLASSES - {"math", "formula", "equation"}  # a folder of that name may hold any picture
_LETTER_PX = 40  # pictures up to this height stand in a line of text
_MAX_SIGNS = 4  # of a smiley: ":-))"


def picture_text(attrs: dict[str, str | None]) -> str | None:
    """Return what a picture stands for, null where it is a picture in its own right.

    Args:
        attrs: Of the ``<img>``.
    """
    alt = (attrs.get("alt") or "").strip()
    if not alt or (attrs.get("aria-hidden") or "").lower() == "true":
        return None
    if not _CLASSES.isdisjoint(_WORD.findall((attrs.get("class") or "").lower())):
        return alt
    if _is_emoji(alt):
        return alt
    source = attrs.get("src") or ""
    if not source.startswith("data:") and not _FOLDERS.isdisjoint(_WORD.findall(source[:1024].lower())):
        return alt
    is_low = (attrs.get("height") or "").removesuffix("px").strip() in _LOW
    return alt if is_low and len(alt) <= _MAX_SIGNS and not alt.isalnum() else None


_LOW = frozenset(map(str, range(8, _LETTER_PX + 1)))


def _is_emoji(alt: str) -> bool:
    """Tell whether a text is one emoji or a few: symbols outside of ASCII, with their joiners and skin tones."""
    if alt.isascii() or len(alt) > 4 * _MAX_SIGNS:
        return False
    kinds = {unicodedata.category(sign) for sign in alt if not sign.isspace()}
    return "So" in kinds and kinds <= {"So", "Sk", "Cf", "Mn", "Me"}
