"""A decision: rules and copies applied to what was measured. It lies in a folder named by all that it was made from.

There may be many: each shard set names its own. ``decided/FINGERPRINT/`` holds verdicts, matches and pool of every
partition, ``copies/`` as settled, and ``counts.json``, which is written last.
"""

import functools
import hashlib
import importlib.resources
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources.abc import Traversable

from curate.contract import schemas
from curate.contract.reasons import Stage
from pipelines.run.context import RunContext, stage_fingerprint
from pipelines.run.manifest import FOLD_PARTITIONS, Manifest
from pipelines.run.tables import Table

CODE = {"curate": ("contract", "dedup", "measure"), "filters": ("",), "pipelines": ("decide", "run")}
"""What decides, by package: other code may decide otherwise."""
SECTIONS = ("admit", "keep", "dedup")
"""Of a recipe, that say how to decide."""
NAME_DIGITS = 16
"""Of the fingerprint, in the name of the folder; each file in it has them all."""

Rejections = Counter[tuple[str, str]]
"""(reason, "documents" | "images") -> how many."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """Where a decision lies."""

    fingerprint: str

    @property
    def name(self) -> str:
        """Of its folder, below ``decided/``."""
        return self.fingerprint[:NAME_DIGITS]

    @property
    def verdicts(self) -> Table:
        """Of all stages together: at most one on each document and on each image."""
        return Table(place=f"decided/{self.name}/verdicts", schema=schemas.VERDICTS, stage=Stage.DECIDE)

    @property
    def matches(self) -> Table:
        """Of every kept image."""
        return Table(place=f"decided/{self.name}/matches", schema=schemas.MATCHES, stage=Stage.DECIDE)

    @property
    def pool(self) -> Table:
        """Of every document that stands."""
        return Table(place=f"decided/{self.name}/pool", schema=schemas.POOL, stage=Stage.DECIDE)

    @property
    def tables(self) -> tuple[Table, ...]:
        """Return what is there of every partition."""
        return self.verdicts, self.matches, self.pool

    def file(self, context: RunContext, *parts: str) -> str:
        """Return a path in its folder."""
        return context.folder.file("decided", self.name, *parts)

    def copies_path(self, context: RunContext, partition: int) -> tuple[str, int]:
        """Return the split file with the copies in a partition, and the part that is the partition's."""
        fold, part = divmod(partition, FOLD_PARTITIONS)
        return self.file(context, "copies", f"{fold:05d}.arrow"), part


def without_removed(decision: Decision, removed: str) -> Decision:
    """Return the decision that an earlier one becomes when something is taken down: nothing else changes.

    Args:
        decision: The earlier one.
        removed: Digest of the list of what was taken down.
    """
    return Decision(fingerprint=stage_fingerprint("takedown", 1, {}, [decision.fingerprint, removed]))


def name_decision(context: RunContext, manifest: Manifest, *, url_counts: str) -> Decision:
    """Return the decision that a recipe amounts to: rules, facts and embeddings, and the code that decides.

    Args:
        context: The run, with the recipe.
        manifest: Of the run.
        url_counts: Fingerprint of the counts of URLs; empty where no rule asks for them.
    """
    options = {
        section: None if (model := getattr(context.recipe, section)) is None else model.model_dump(mode="json")
        for section in SECTIONS
    }
    if context.removed:
        options["removed"] = context.removed
    dedup = context.recipe.dedup
    columns = ("facts", "embeddings") if dedup is not None and dedup.image.cosine is not None else ("facts",)
    inputs = [_code_digest(), manifest.digest(*columns), url_counts]
    return Decision(fingerprint=stage_fingerprint("decide", 2, options, inputs))


@functools.cache
def _code_digest() -> str:
    digest = hashlib.sha256()
    for package, names in CODE.items():
        for name in names:
            for file in _python_files(importlib.resources.files(package) / name):
                digest.update(file.read_bytes())
    return digest.hexdigest()


def _python_files(place: Traversable) -> Iterator[Traversable]:
    if place.is_file():
        if place.name.endswith(".py"):
            yield place
    elif place.is_dir():
        for inner in sorted(place.iterdir(), key=lambda one: one.name):
            yield from _python_files(inner)
