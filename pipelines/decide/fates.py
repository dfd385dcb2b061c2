"""What has become of documents and images so far: arrays while a partition is judged, VERDICTS in the end."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.contract.reasons import Stage
from curate.contract.schemas import VERDICTS, WHOLE_DOCUMENT
from pipelines.decide.facts import Facts

Objects = npt.NDArray[np.object_]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


def is_missing(values: Objects) -> Flags:
    """Return which of objects are None, [N]."""
    found: Flags = np.equal(values, None)  # type: ignore[call-overload]  # elementwise, which the stubs do not know
    return found


@dataclass(frozen=True, slots=True)
class Fates:
    """Of N documents, or of N images: one reason each at most, and the first one counts."""

    reasons: Objects
    """[N] reason code, or None."""
    stages: Objects
    """[N] Stage, or None."""
    details: Objects
    """[N] text, or None."""

    @classmethod
    def open(cls, length: int) -> Self:
        """Return the fates of things that all stand."""
        return cls(*(np.full(length, None, dtype=object) for _ in range(3)))

    def standing(self) -> Flags:
        """Return which stand, [N]."""
        return is_missing(self.reasons)

    def reject(self, rows: Ints, *, stage: Stage | Objects, reasons: Any, details: Any = None) -> None:
        """Give rows a reason.

        Args:
            rows: [R] of things that stand.
            stage: One for all, or [R].
            reasons: One for all, or [R].
            details: Likewise.
        """
        self.reasons[rows], self.details[rows] = reasons, details
        self.stages[rows] = stage if isinstance(stage, np.ndarray) else str(stage)

    def reject_by(self, rows: Ints, reasons: pa.StringArray, *, stage: Stage) -> None:
        """Give rows the reasons of rules.

        Args:
            rows: [R] that were judged.
            reasons: [R]; null keeps.
            stage: Of the rules.
        """
        found = reasons.is_valid().to_numpy(zero_copy_only=False)
        codes = reasons.filter(pa.array(found)).to_numpy(zero_copy_only=False)
        self.reject(rows[found], stage=stage, reasons=codes)


def fate_table(facts: Facts, documents: Fates, images: Fates) -> pa.Table:
    """Return VERDICTS: in the order of documents, those on a document's images before that on itself."""
    fallen_docs = np.flatnonzero(~documents.standing())
    fallen_images = np.flatnonzero(~images.standing())
    row = np.concatenate([facts.document[fallen_images], fallen_docs])
    # Images stand before documents here, and a stable sort leaves them there.
    order = np.argsort(row, kind="stable")
    positions = np.concatenate(
        [facts.images["position"].to_numpy()[fallen_images], np.full(len(fallen_docs), WHOLE_DOCUMENT)]
    )
    ids = facts.documents["doc_id"].combine_chunks().take(pa.array(row[order]))
    columns = [
        pa.array(np.concatenate([of_images[fallen_images], of_docs[fallen_docs]])[order], pa.string())
        for of_images, of_docs in (
            (images.stages, documents.stages),
            (images.reasons, documents.reasons),
            (images.details, documents.details),
        )
    ]
    return pa.table([ids, pa.array(positions[order], pa.int32()), *columns], schema=VERDICTS)
