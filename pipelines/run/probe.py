"""A run folder for a probe: stages see some documents of a partition and leave nothing behind."""

from dataclasses import dataclass

import pyarrow as pa

from pipelines.run.folder import RunFolder, Stamp
from pipelines.run.joins import only_documents
from pipelines.run.tables import Table

NEVER_MADE_FROM = "probe"
"""Stands in for the fingerprint of every table: no stage finds its work done already."""


@dataclass(frozen=True, slots=True)
class ProbeFolder(RunFolder):
    """Reads the rows of some documents; writes are dropped."""

    doc_ids: tuple[str, ...]

    def read(self, table: Table, of: str | None = None, *, columns: list[str] | None = None) -> pa.Table:
        """Read the rows of the probed documents; whole where a table has no documents."""
        rows = RunFolder.read(self, table, of, columns=columns)
        return only_documents(rows, self.doc_ids) if "doc_id" in rows.column_names else rows

    def write(
        self,
        table: Table,
        of: str | None = None,
        *,
        rows: pa.Table,
        made_from: str,
        note: str = "",
        digest: str | None = None,
    ) -> None:
        """Write nothing."""

    def move(self, table: Table, of: str, to: str) -> None:
        """Leave everything where it is."""

    def stamp(self, table: Table, of: str | None = None) -> Stamp | None:
        """Return the stamp of the stored table, as made from something else."""
        stored = RunFolder.stamp(self, table, of)
        return None if stored is None else Stamp(fingerprint=NEVER_MADE_FROM, digest=stored.digest, note=stored.note)
