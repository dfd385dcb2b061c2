"""How many samples state which licence: counted while a shard is written, added up over shards for the card.

Only ids are told apart. They are few, whatever pages say; so a count stays small, and no page writes on the card.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from shards.markdown import render_table

UNKNOWN = "not stated"
OTHER = "stated, but no known licence"
MAX_IDS = 1000
"""Of a source in one shard; samples with others count as ``OTHER``."""
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]{0,63}")

LicenseCounts = Mapping[str, Mapping[str, int]]
"""Samples by source, then by licence id, ``OTHER`` or ``UNKNOWN``."""


class LicenseCounter:
    """Counts the samples of one shard."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[str]] = {}

    def add(self, record: Mapping[str, Any]) -> None:
        """Count one sample by its JSON record."""
        counts = self._counts.setdefault(str(record["source"]), Counter())
        name = license_label(record)
        counts[name if name in counts or len(counts) < MAX_IDS else OTHER] += 1

    def to_dict(self) -> dict[str, dict[str, int]]:
        """Return the counts, sorted by source and licence."""
        return {source: dict(sorted(counts.items())) for source, counts in sorted(self._counts.items())}


def license_label(record: Mapping[str, Any]) -> str:
    """Return under which name a sample's licence is counted."""
    stated = record.get("license")
    if not isinstance(stated, Mapping):
        return UNKNOWN
    license_id = stated.get("id")
    return license_id if isinstance(license_id, str) and _ID.fullmatch(license_id) else OTHER


def add_up_licenses(shards: Iterable[LicenseCounts]) -> dict[str, dict[str, int]]:
    """Return the counts of all shards together, in the order that ``LicenseCounter`` gives one shard's."""
    totals: dict[str, Counter[str]] = {}
    for shard in shards:
        for source, counts in shard.items():
            totals.setdefault(source, Counter()).update(counts)
    return {source: dict(sorted(counts.items())) for source, counts in sorted(totals.items())}


def render_licenses(counts: LicenseCounts) -> str:
    """Return the table of the card: sources by name, in each the most frequent licence first; empty without counts."""
    rows = [
        (source, name, number)
        for source, own in sorted(counts.items())
        for name, number in sorted(own.items(), key=lambda item: (-item[1], item[0]))
    ]
    if not rows:
        return ""
    return (
        "## Licences stated\n\nAs a document's page (`rel=license`, Dublin Core, schema.org) or row states it, not "
        f"checked by anyone; a page may mean parts of itself.\n\n{render_table(['source', 'licence', 'samples'], rows)}"
    )
