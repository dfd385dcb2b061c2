"""Where a record came from, as fields that a reader of the corpus may see."""

import re

_PLACE = re.compile(r"(?s)(?P<file>.*)#(?P<row>\d{1,15})(?:\.(?P<record>\d{1,15}))?(?:/(?P<caption>\d{1,15}))?")
_CREDENTIALS = re.compile(r"(?<=://)[^/@]*@")


def read_origin(ordinal: str) -> dict[str, object] | None:
    """Return the fields of ORIGIN; None for an ordinal that names no row.

    Args:
        ordinal: ``file#row``; then ``.record`` where several begin on a line, and ``/caption`` where a row lists some.
    """
    found = _PLACE.fullmatch(ordinal)
    if found is None:
        return None
    numbers = {name: int(found[name]) for name in ("row", "record", "caption") if found[name] is not None}
    return {"file": public_label(found["file"]), **numbers}


def public_label(label: str) -> str:
    """Return a file's label without what opens doors: user and password of an address, and its query."""
    if "://" not in label:
        return label
    return _CREDENTIALS.sub("", label).partition("?")[0]
