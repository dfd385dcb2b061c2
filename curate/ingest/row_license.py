"""The licence that a row states among its passthrough columns."""

from collections.abc import Mapping
from typing import Any

from curate.contract.records import License
from curate.ingest.licenses import read_license

LICENSE_COLUMNS = ("license", "licence", "license_url", "licence_url", "license_name", "licence_name", "rights")
"""Columns that state a row's licence, in any case, the first that says anything first: LAION says ``LICENSE``."""


def row_license(meta: Mapping[str, Any]) -> License | None:
    """Return what the columns say; None where none of them is there or says anything.

    A column holds words, an address, an object with either, or a list of those, whose first entry counts. Numbers mean
    something in their data set alone, and are left in the meta.
    """
    named: dict[str, str] = {}
    for name in meta:
        named.setdefault(name.casefold(), name)
    for wanted in LICENSE_COLUMNS:
        if wanted in named and (found := read_license(meta[named[wanted]], stated_in=f"column {named[wanted]}")):
            return found
    return None
