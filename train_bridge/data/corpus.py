"""The counted samples of one or more shard sets as one sequence of rows, read from memory-mapped files."""

import hashlib
import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.blend.covering import assign_groups
from curate.blend.curve import ShareCurve, constant_curve
from curate.blend.weights import resolve_course
from curate.contract.errors import RecipeError, ShardError
from shards.places import SamplePlaces
from shards.storage import atomic_path
from train_bridge.data.consumed import Consumed, Times
from train_bridge.data.count_summary import MappedCounts, counts_path
from train_bridge.data.selection import Selection
from train_bridge.data.survey import NO_LABELS, NO_WEIGHT, GroupSurvey
from train_bridge.packing.draw import Counts, DrawEntry, Rows
from train_bridge.packing.seen import Seen
from train_bridge.packing.split import Counted, Ints

_PLACES = ("image_at", "breaks", "label_spans")


@dataclass(frozen=True, kw_only=True, slots=True)
class _SetSurvey:
    """``GroupSurvey`` of one set."""

    num_documents: int
    num_held_out: int
    num_tokens: int
    num_images: int
    unusable: Counter[str]


class Corpus:
    """Rows 0..num_rows-1, the sets one after the other."""

    def __init__(
        self,
        paths: Sequence[str],
        *,
        folders: Sequence[str],
        selection: Selection,
        cache_dir: str | None = None,
        consumed: str | None = None,
    ) -> None:
        """Map files of ``lengths.count_lengths``, one per folder.

        Raises:
            BlendError: A source or kind with a weight is in no set.
            ShardError: Nothing that can be used is selected.
            RecipeError: The weights cannot be followed.
        """
        self._tables = [pa.ipc.open_file(pa.memory_map(path)).read_all() for path in paths]
        self._sets = [MappedCounts(counts_path(path)) for path in paths]
        self.folders = tuple(folders)
        self._bounds = np.cumsum([table.num_rows for table in self._tables])
        self._ends: list[int] = self._bounds.tolist()
        self._chunks = _Chunks(self._tables)
        self._places = [SamplePlaces(table) for table in self._tables]
        self._selection = selection
        self._cache_dir = Path(cache_dir or Path(paths[0]).parent)
        self._names, self._sizes = [Path(path).stem for path in paths], [table.num_rows for table in self._tables]
        self._consumed = None if consumed is None else Consumed(consumed)
        self._key = [*(Path(path).name for path in paths), selection.side, str(selection.validation_share)]
        every = sorted({group for counted in self._sets for group in counted.groups if selection.takes(group)})
        self.groups = tuple(every)
        """(source, kind) of every selected row, sorted: the same on all ranks."""
        missing = set(selection.sources or ()) - {source for source, _ in every}
        if missing:
            raise ShardError(f"{', '.join(folders)}: no sample of source {', '.join(sorted(missing))}")
        places = {group: place for place, group in enumerate(every)}
        self._group_of = [np.array([places.get(group, -1) for group in s.groups], dtype=np.int64) for s in self._sets]
        first_rows = [0, *self._ends[:-1]]
        self._shard_starts = np.concatenate(
            [own.shard_starts + first for own, first in zip(self._sets, first_rows, strict=True)]
        )
        self.entries = self._open_entries()

    @property
    def num_rows(self) -> int:
        """Samples, usable or not."""
        return int(self._bounds[-1])

    @property
    def ends(self) -> list[int]:
        """Row behind the last one of each set."""
        return self._ends

    def consumed_times(self) -> Times | None:
        """Return how often earlier plans have drawn each row, [num_rows]; None in the first plan of a run."""
        return None if self._consumed is None else self._consumed.times(self._names, self._sizes)

    @property
    def num_groups(self) -> int:
        """Length of ``groups``."""
        return len(self.groups)

    def counts(self, rows: Rows) -> Counts:
        """Return what packing needs of ``rows`` [K]."""
        columns = {
            name: np.empty(len(rows), dtype=np.int64) for name in ("num_ids", "num_images", "num_labels", "group")
        }
        of = np.searchsorted(self._bounds, rows, side="right")
        for i in np.unique(of):
            mine = of == i
            inside = rows[mine] - (self._bounds[i - 1] if i else 0)
            for name, column in columns.items():
                values = self._sets[i].columns[name][inside]
                column[mine] = self._group_of[i][values] if name == "group" else values
        return Counts(**columns)

    def document(self, row: int) -> Counted:
        """Return what splitting needs of one row."""
        num_ids, image_at, breaks, spans = self._chunks.read(*self._locate(row))
        return Counted(num_ids=num_ids, image_at=image_at, breaks=breaks, label_spans=spans)

    def index_row(self, row: int) -> tuple[str, dict[str, Any]]:
        """Return the folder of a row and its place there: see ``SamplePlaces``."""
        i, inside = self._locate(row)
        return self.folders[i], self._places[i].row(inside)

    def num_ids(self, row: int) -> int:
        """Return the tokens of a row, an image counting as one."""
        i, inside = self._locate(row)
        return int(self._sets[i].columns["num_ids"][inside])

    def group(self, row: int) -> int:
        """Return the place of a row's (source, kind) in ``groups``."""
        i, inside = self._locate(row)
        return int(self._group_of[i][self._sets[i].columns["group"][inside]])

    def survey(self) -> list[GroupSurvey]:
        """Count the selected documents of each of ``groups``, and those that cannot be used."""
        drawn = {group for groups in self._owners.values() for group in groups}
        found = []
        for place, (source, kind) in enumerate(self.groups):
            parts = [self._survey_set(i, place, is_drawn=(source, kind) in drawn) for i in range(len(self._sets))]
            unusable = sum((part.unusable for part in parts), start=Counter[str]())
            found.append(
                GroupSurvey(
                    source=source,
                    kind=kind,
                    num_documents=sum(part.num_documents for part in parts),
                    num_held_out=sum(part.num_held_out for part in parts),
                    num_tokens=sum(part.num_tokens for part in parts),
                    num_images=sum(part.num_images for part in parts),
                    unusable={reason: unusable[reason] for reason in sorted(unusable)},
                )
            )
        return found

    def _survey_set(self, i: int, place: int, *, is_drawn: bool) -> _SetSurvey:
        columns = self._sets[i].columns
        is_own = self._group_of[i][columns["group"]] == place if len(self._group_of[i]) else np.zeros(0, dtype=np.bool_)
        mine = is_own & self._selection.on_side(columns["bucket"])
        usable = mine & (columns["usable"] != 0)
        faults = self._tables[i]["fault"].take(np.flatnonzero(mine & ~usable)).to_pylist()
        unusable = Counter(fault or NO_LABELS for fault in faults)
        if not is_drawn:
            unusable[NO_WEIGHT] += int(usable.sum())
        return _SetSurvey(
            num_documents=int(mine.sum()),
            num_held_out=int(is_own.sum() - mine.sum()),
            num_tokens=int(columns["num_ids"][usable].sum(dtype=np.int64)),
            num_images=int(columns["num_images"][usable].sum(dtype=np.int64)),
            unusable=+unusable,
        )

    def _locate(self, row: int) -> tuple[int, int]:
        i = bisect_right(self._ends, row)
        return i, row - (self._ends[i - 1] if i else 0)

    def _open_entries(self) -> tuple[DrawEntry, ...]:
        if not self._selection.weights:
            self._owners = {"all": set(self.groups)}
            return (self._open_entry("all", set(self.groups), constant_curve(Fraction(1))),)
        course = resolve_course(self._selection.weights)
        if course.is_relative:
            raise RecipeError(("data.weights: places must be amounts (10M), for a run's length is not known before",))
        owners = assign_groups(self.groups, self._selection.weights, where="data.weights")
        self._owners = {name: groups for name, groups in owners.items() if any(course.shares[name])}
        unknown = sorted(set(self._selection.max_repeats) - set(self._owners))
        if unknown:
            raise RecipeError(tuple(f"data.max_repeats.{name}: no entry of data.weights" for name in unknown))
        return tuple(
            self._open_entry(name, groups, ShareCurve(knots=course.places, shares=course.shares[name]))
            for name, groups in self._owners.items()
        )

    def _open_entry(self, name: str, groups: set[tuple[str, str]], curve: ShareCurve) -> DrawEntry:
        """Map the rows of an entry, and those of them that an earlier plan has drawn."""
        key = hashlib.sha256(json.dumps([self._key, sorted(groups)]).encode()).hexdigest()[:16]
        rows = self._kept_array(f"rows-{key}", lambda: self._find_rows(groups))
        if not len(rows):
            what = "" if name == "all" else f"data.weights.{name}: "
            raise ShardError(f"{what}{', '.join(self.folders)}: no sample that can be used; see --plan-only")
        starts = np.searchsorted(rows, self._shard_starts.astype(rows.dtype))  # of another type, rows would be copied
        return DrawEntry(
            name=name,
            rows=rows,
            curve=curve,
            max_repeats=self._selection.max_repeats.get(name, 1),
            shard_starts=starts.astype(np.int64),
            seen=None if self._consumed is None else self._find_seen(self._consumed, key, rows),
        )

    def _find_seen(self, consumed: Consumed, key: str, rows: Rows) -> Seen:
        """Map what was drawn of an entry; the file says how many passes are whole."""
        kept = list(self._cache_dir.glob(f"seen-{key}-{consumed.key}-*.npy"))
        if kept:
            epoch = int(kept[0].stem.rpartition("-")[2])
        else:
            seen = Seen.of(consumed.times(self._names, self._sizes)[rows])
            epoch = seen.epoch
            self._kept_array(f"seen-{key}-{consumed.key}-{epoch}", lambda: seen.places)
        places = np.load(self._cache_dir / f"seen-{key}-{consumed.key}-{epoch}.npy", mmap_mode="r")
        return Seen(epoch=epoch, places=places, num_rows=len(rows))

    def _kept_array(self, name: str, find: Callable[[], npt.NDArray[np.integer]]) -> Rows:
        """Map an array of rows that is found once and kept in the cache."""
        path = self._cache_dir / f"{name}.npy"
        if not path.exists():
            found = find()
            with atomic_path(str(path)) as partial, partial.open("wb") as file:
                np.save(file, found.astype(np.uint32 if self.num_rows < 1 << 32 else np.int64))
        mapped: Rows = np.load(path, mmap_mode="r")
        return mapped

    def _find_rows(self, groups: set[tuple[str, str]]) -> Rows:
        found, start = [], 0
        for own, table in zip(self._sets, self._tables, strict=True):
            is_own = np.array([group in groups for group in own.groups] or [False])
            usable = is_own[own.columns["group"]] & (own.columns["usable"] != 0)
            found.append(np.flatnonzero(usable & self._selection.on_side(own.columns["bucket"])) + start)
            start += table.num_rows
        return np.concatenate(found).astype(np.int64)


class _Chunks:
    """Lists of single rows, without Arrow's cost of building a table for each."""

    def __init__(self, tables: Sequence[pa.Table]) -> None:
        self._batches = [table.select(["num_ids", *_PLACES]).to_batches() for table in tables]
        self._starts = [np.cumsum([0, *(len(batch) for batch in own)]) for own in self._batches]

    def read(self, table: int, row: int) -> tuple[int, Ints, Ints, Ints]:
        place = int(np.searchsorted(self._starts[table], row, side="right")) - 1
        batch, inside = self._batches[table][place], row - int(self._starts[table][place])
        image_at, breaks, spans = (np.asarray(batch[name][inside].values, dtype=np.int32) for name in _PLACES)
        return batch["num_ids"][inside].as_py(), image_at, breaks, spans


def open_corpus(
    paths: Sequence[str],
    *,
    folders: Sequence[str],
    selection: Selection | None = None,
    cache_dir: str | None = None,
    consumed: str | None = None,
) -> Corpus:
    """Map files of ``lengths.count_lengths``, one per folder.

    Args:
        paths: Of the files.
        folders: Of the sets.
        selection: What is taken of them.
        cache_dir: Where the rows of an entry are kept once they are found; by default beside the first file.
        consumed: Folder of what an earlier plan has drawn, see ``Consumed``.

    Raises:
        ShardError, RecipeError: See ``Corpus``.
    """
    return Corpus(paths, folders=folders, selection=selection or Selection(), cache_dir=cache_dir, consumed=consumed)
