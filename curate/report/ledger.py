"""The ledger: what went in, what was kept, and one reason code for everything else.

``in = kept + sum(rejected)`` holds for documents and for images, in every source and in total. Counting and proving are
two functions that share no arithmetic: ``check_ledger`` reads the finished dictionary only, as a person would.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Self

import pyarrow as pa

from curate.contract.reasons import ALL_REASONS, FetchStatus, IngestReason, Reason, fetch_reason
from curate.report.outcomes import Outcomes, column, count_pairs, resolve

FAULT_REASONS = frozenset(
    {*(str(r) for r in IngestReason), str(Reason.POISON), str(Reason.TOO_LARGE)}
    | {fetch_reason(FetchStatus.INTERNAL_ERROR)}
)
"""Reasons that a person may want to look into: each is listed with its detail, such as file and line."""

_UNITS = ("documents", "images")


class LedgerCounter:
    """Folds partitions, in any order, into the ledger. Its memory does not grow with the corpus."""

    def __init__(self, *, sources: Sequence[str] = (), max_faults: int = 20) -> None:
        """Start at zero.

        Args:
            sources: Names in the recipe's order; the ledger lists them so, and lists one without documents too.
            max_faults: Faults spelt out per source and reason; all are counted.
        """
        self._sources = tuple(sources)
        self._max_faults = max_faults
        self._counts: dict[str, Counter[tuple[str, str | None]]] = {unit: Counter() for unit in _UNITS}
        self._kinds: dict[str, set[str]] = {name: set() for name in sources}
        self._faults: dict[tuple[str, str], list[str]] = {}
        self._num_faults = 0

    def add_partition(self, documents: pa.Table, items: pa.Table, verdicts: pa.Table) -> None:
        """Count one partition.

        Args:
            documents: Every ingested document; reads doc_id, source, kind.
            items: Reads doc_id, position, modality.
            verdicts: All stages together, at most one row per document (position -1) and per image. Whatever has none
                was kept; an image without one in a rejected document counts as ``doc.rejected``.

        Raises:
            CurateError: Names a verdict that belongs to nothing, a reason outside the closed set, or two verdicts for
                one thing. Nothing of the partition has been counted then.
        """
        outcomes = resolve(documents, items, verdicts)
        sources = column(documents, "source")
        for source, kind, _ in count_pairs(sources, column(documents, "kind")):
            self._kinds.setdefault(str(source), set()).add(str(kind))
        of_images = sources.take(pa.array(outcomes.image_docs))
        pairs = {"documents": (sources, outcomes.doc_reasons), "images": (of_images, outcomes.image_reasons)}
        for unit, (names, reasons) in pairs.items():
            for source, reason, num in count_pairs(names, reasons):
                self._counts[unit][str(source), reason] += num
        self._add_faults(outcomes, sources, verdicts)

    def merge(self, other: Self) -> None:
        """Add the counts of other partitions."""
        for unit, counts in other._counts.items():
            self._counts[unit].update(counts)
        for source, kinds in other._kinds.items():
            self._kinds.setdefault(source, set()).update(kinds)
        for group, details in other._faults.items():
            self._faults[group] = sorted([*self._faults.get(group, []), *details], key=_by_number)[: self._max_faults]
        self._num_faults += other._num_faults

    def to_dict(self) -> dict[str, Any]:
        """Return the ledger as plain JSON values; equal input gives equal output whatever the order of partitions."""
        names = [*self._sources, *sorted(set(self._kinds) - set(self._sources))]
        sources = {name: self._source(name) for name in names}
        totals = {unit: _add_up([source[unit] for source in sources.values()]) for unit in _UNITS}
        faults = [
            {"source": source, "reason": reason, "detail": detail}
            for (source, reason), details in sorted(self._faults.items())
            for detail in details
        ]
        return {"sources": sources, "totals": totals, "num_faults": self._num_faults, "faults": faults}

    def _source(self, name: str) -> dict[str, Any]:
        entry: dict[str, Any] = {}
        if len(self._kinds[name]) == 1:
            entry["kind"] = next(iter(self._kinds[name]))
        for unit, counts in self._counts.items():
            of_source = {reason: num for (source, reason), num in counts.items() if source == name}
            rejected = {reason: of_source[reason] for reason in sorted(r for r in of_source if r is not None)}
            entry[unit] = {"in": sum(of_source.values()), "kept": of_source.get(None, 0), "rejected": rejected}
        return entry

    def _add_faults(self, outcomes: Outcomes, sources: pa.Array, verdicts: pa.Table) -> None:
        is_fault = pa.array([reason in FAULT_REASONS for reason in column(verdicts, "reason").to_pylist()], pa.bool_())
        faults = verdicts.filter(is_fault)
        source_of = dict(zip(outcomes.doc_ids.to_pylist(), sources.to_pylist(), strict=True))
        self._num_faults += faults.num_rows
        for row in faults.to_pylist():
            group = (source_of[row["doc_id"]], row["reason"])
            # The first details are kept, so the list depends on no order of arrival.
            details = [*self._faults.get(group, []), row.get("detail") or f"document {row['doc_id']}"]
            self._faults[group] = sorted(details, key=_by_number)[: self._max_faults]


def _by_number(detail: str) -> list[tuple[int, str]]:
    """Order texts with numbers in them as a person counts: line 2 before line 10."""
    parts = re.split(r"([0-9]{1,18})", detail)
    return [(int(part), "") if place % 2 else (-1, part) for place, part in enumerate(parts)]


def check_ledger(ledger: Mapping[str, Any]) -> list[str]:
    """Return every way in which a ledger does not add up; empty = good.

    Proves in = kept + sum(rejected) for documents and images of each source and in total, that the totals are the sums
    of the sources, and that every reason is in the closed set. A malformed ledger is a fault too, never an exception.
    """
    sources, totals = ledger.get("sources"), ledger.get("totals")
    if not isinstance(sources, Mapping) or not isinstance(totals, Mapping):
        return ["the ledger lacks its sources or its totals"]
    faults = []
    for unit in _UNITS:
        sound: list[Mapping[str, Any]] = []
        for name, entry in sources.items():
            counts = entry.get(unit) if isinstance(entry, Mapping) else None
            found = _check_counts(counts, where=f"source {name}, {unit}")
            faults += found
            if not found and isinstance(counts, Mapping):
                sound.append(counts)
        found = _check_counts(totals.get(unit), where=f"totals, {unit}")
        faults += found
        if not found and len(sound) == len(sources) and _add_up(sound) != _without_zeros(totals[unit]):
            faults.append(f"totals, {unit}: not the sum of the sources")
    return faults


def _check_counts(counts: object, *, where: str) -> list[str]:
    if not isinstance(counts, Mapping) or not isinstance(counts.get("rejected"), Mapping):
        return [f"{where}: no counts"]
    rejected = counts["rejected"]
    numbers = {"in": counts.get("in"), "kept": counts.get("kept"), **rejected}
    faults = [
        f"{where}: {name} is {num!r}, not a count"
        for name, num in numbers.items()
        if not isinstance(num, int) or isinstance(num, bool) or num < 0
    ]
    faults += [f"{where}: unknown reason {reason!r}" for reason in rejected if reason not in ALL_REASONS]
    if not faults and counts["in"] != counts["kept"] + sum(rejected.values()):
        faults.append(f"{where}: {counts['in']} in, but {counts['kept']} kept + {sum(rejected.values())} rejected")
    return faults


def _add_up(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    rejected: Counter[str] = Counter()
    for part in parts:
        rejected.update(part["rejected"])
    total = {"in": sum(part["in"] for part in parts), "kept": sum(part["kept"] for part in parts)}
    return _without_zeros({**total, "rejected": {reason: rejected[reason] for reason in sorted(rejected)}})


def _without_zeros(counts: Mapping[str, Any]) -> dict[str, Any]:
    rejected = {reason: num for reason, num in counts["rejected"].items() if num}
    return {"in": counts["in"], "kept": counts["kept"], "rejected": rejected}
