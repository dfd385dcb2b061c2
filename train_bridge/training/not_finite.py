"""Names what was read when a loss or a gradient is not finite: packs, and the documents in them."""

from collections.abc import Collection
from dataclasses import dataclass

from train_bridge.packing.cursor import Cursor
from train_bridge.packing.plan import plan_packs
from train_bridge.training.prepare import Prepared

NUM_SHOWN = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class PackDocuments:
    """A pack and the documents of its samples, in their order."""

    number: int
    doc_ids: tuple[str, ...]

    def brief(self) -> str:
        """Return the pack and its first documents in a few words."""
        shown = ", ".join(self.doc_ids[:NUM_SHOWN])
        more = len(self.doc_ids) - NUM_SHOWN
        return f"pack {self.number}: {shown}" + (f" and {more} more" if more > 0 else "")


def describe_packs(prepared: Prepared, cursor: Cursor, *, numbers: Collection[int]) -> list[PackDocuments]:
    """Plan again from ``cursor`` and return the packs ``numbers``, none of which is before it."""
    found: list[PackDocuments] = []
    spec, wanted = prepared.spec, set(numbers)
    for pack in plan_packs(prepared.corpus, spec.plan, cursor=cursor, num_epochs=spec.num_epochs):
        if pack.number in wanted:
            rows = [prepared.corpus.index_row(sample.row)[1] for sample in pack.samples]
            found.append(PackDocuments(number=pack.number, doc_ids=tuple(row["doc_id"] for row in rows)))
        if pack.number >= max(wanted):
            break
    return found
