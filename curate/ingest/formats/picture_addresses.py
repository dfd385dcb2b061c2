"""Where an image of a record is: an address of the web, or the path of a file."""

import re

from curate.ingest.config import Source, image_address, image_folder
from curate.ingest.urls import resolve_url

_WHOLE = re.compile(r"[a-z][a-z0-9+.-]*://|//|data:|file:", re.IGNORECASE)


def picture_address(raw: str, *, page: str | None, source: Source) -> str:
    """Return the address of a record's image: absolute, or the path of a file where the source declares a folder.

    Args:
        raw: The field.
        page: URL of the record, if it has one; a declared ``image_root`` goes before it.
        source: May declare one.
    """
    if _WHOLE.match(raw.strip()):
        return resolve_url(page, raw)
    if image_folder(source) is not None:
        return raw.strip()
    address = image_address(source)
    return (
        resolve_url(page, raw) if address is None else resolve_url(address.rstrip("/") + "/", raw.strip().lstrip("/"))
    )
