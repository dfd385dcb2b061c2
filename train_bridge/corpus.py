"""The counted samples of one or more shard sets as one sequence of rows, read from memory-mapped files."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curate.contract.errors import ShardError
from curate.contract.schemas import SHARD_INDEX
from train_bridge.split import Counted

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """Of K rows."""

    num_ids: Rows
    """[K] tokens, an image counting as one."""
    num_images: Rows
    """[K]"""
    num_labels: Rows
    """[K] tokens with loss."""
    usable: npt.NDArray[np.bool_]
    """[K]: selected, and without a fault."""


class Corpus:
    """Rows 0..num_rows-1, the sets one after the other."""

    def __init__(
        self,
        tables: Sequence[pa.Table],
        *,
        folders: Sequence[str],
        kinds: Collection[str] | None = None,
        sources: Collection[str] | None = None,
    ) -> None:
        """Take tables of schema ``lengths.LENGTHS``, a folder each; ``kinds`` and ``sources`` select (None: all).

        Raises:
            ShardError: A selected source is in no set, or nothing that can be used is selected.
        """
        self._table = pa.concat_tables(tables)
        self._folders = tuple(folders)
        self._bounds = np.cumsum([table.num_rows for table in tables])
        self._kinds = None if kinds is None else pa.array(sorted(kinds), pa.string())
        self._sources = None if sources is None else pa.array(sorted(sources), pa.string())
        self.groups = self._find_groups()
        """(source, kind) of every selected row, sorted: the same on all ranks."""
        missing = set(sources or ()) - {source for source, _ in self.groups}
        if missing:
            raise ShardError(f"{', '.join(folders)}: no sample of source {', '.join(sorted(missing))}")
        if not any(self.counts(rows).usable.any() for rows in self._blocks()):
            raise ShardError(f"{', '.join(folders)}: no sample that can be used; see the faults in --plan-only")

    @property
    def num_rows(self) -> int:
        """Samples, usable or not."""
        return int(self._table.num_rows)

    def counts(self, rows: Rows) -> Counts:
        """Return what packing needs of ``rows`` [K]."""
        taken = self._table.select(["num_ids", "num_labels", "image_at", "fault", "source", "kind"]).take(
            pa.array(rows)
        )
        usable = pc.and_(self._selected(taken), pc.is_null(taken["fault"]))
        return Counts(
            num_ids=_numbers(taken["num_ids"]),
            num_images=_numbers(pc.list_value_length(taken["image_at"])),
            num_labels=_numbers(taken["num_labels"]),
            usable=np.asarray(usable, dtype=np.bool_) & (_numbers(taken["num_labels"]) > 0),
        )

    def document(self, row: int) -> Counted:
        """Return what splitting needs of one row."""
        taken = self._table.select(["num_ids", "image_at", "breaks", "label_spans"]).slice(row, 1)
        return Counted(
            num_ids=taken["num_ids"][0].as_py(),
            image_at=np.asarray(taken["image_at"][0].values, dtype=np.int32),
            breaks=np.asarray(taken["breaks"][0].values, dtype=np.int32),
            label_spans=np.asarray(taken["label_spans"][0].values, dtype=np.int32),
        )

    def index_row(self, row: int) -> tuple[str, dict[str, Any]]:
        """Return the folder of a row and its row of the index."""
        folder = self._folders[int(np.searchsorted(self._bounds, row, side="right"))]
        return folder, self._table.select(SHARD_INDEX.names).slice(row, 1).to_pylist()[0]

    def group(self, row: int) -> int:
        """Return the place of a row's (source, kind) in ``groups``."""
        return self.groups.index((self._table["source"][row].as_py(), self._table["kind"][row].as_py()))

    def faults(self) -> dict[str, int]:
        """Count the selected samples that cannot be used, by reason; ``no_labels``: no token to learn."""
        chosen = self._table.select(["fault", "num_labels", "source", "kind"])
        chosen = chosen.filter(self._selected(chosen))
        pairs = pc.value_counts(chosen["fault"].combine_chunks()).to_pylist()
        counted = {pair["values"]: pair["counts"] for pair in pairs if pair["values"] is not None}
        unlabelled = pc.and_(pc.is_null(chosen["fault"]), pc.equal(chosen["num_labels"], 0))
        counted["no_labels"] = pc.sum(unlabelled).as_py() or 0
        return {reason: counted[reason] for reason in sorted(counted) if counted[reason]}

    def _find_groups(self) -> tuple[tuple[str, str], ...]:
        chosen = self._table.select(["source", "kind"])
        pairs = chosen.filter(self._selected(chosen)).group_by(["source", "kind"]).aggregate([]).to_pylist()
        return tuple(sorted((pair["source"], pair["kind"]) for pair in pairs))

    def _selected(self, table: pa.Table) -> Any:
        chosen = pa.chunked_array([pa.repeat(pa.scalar(value=True), table.num_rows)])
        if self._kinds is not None:
            chosen = pc.and_(chosen, pc.is_in(table["kind"], value_set=self._kinds))
        if self._sources is not None:
            chosen = pc.and_(chosen, pc.is_in(table["source"], value_set=self._sources))
        return chosen

    def _blocks(self) -> list[Rows]:
        starts = range(0, self.num_rows, 65_536)
        return [np.arange(start, min(start + 65_536, self.num_rows), dtype=np.int64) for start in starts]


def open_corpus(
    paths: Sequence[str],
    *,
    folders: Sequence[str],
    kinds: Collection[str] | None = None,
    sources: Collection[str] | None = None,
) -> Corpus:
    """Map files of ``lengths.count_lengths``, one per folder.

    Raises:
        ShardError: See ``Corpus``.
    """
    tables = [pa.ipc.open_file(pa.memory_map(path)).read_all() for path in paths]
    return Corpus(tables, folders=folders, kinds=kinds, sources=sources)


def _numbers(column: Any) -> Rows:
    return np.asarray(column, dtype=np.int64)
