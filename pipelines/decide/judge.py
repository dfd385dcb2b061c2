"""Judge: from the facts of a partition to what stands of it by the rules, before copies are looked for.

Pure and vectorised: a thousand documents take some milliseconds, so nothing of it is stored, and it is asked again
wherever it is needed: before images are fetched, before copies are looked for, and when a partition is finished.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.contract.errors import CurateError
from curate.contract.reasons import FetchStatus, IngestReason, Kind, Reason, Stage, fetch_reason
from pipelines.decide.facts import FAULT_COLUMNS, Facts
from pipelines.decide.fates import Fates, Flags, Ints, Objects, is_missing
from pipelines.decide.rules import BoundRule, first_reasons, rules_at
from pipelines.recipes.recipe import Recipe
from pipelines.recipes.rule_sets import rule_configs
from pipelines.run.removals import Removals

NOT_JUDGED = frozenset({"kind", "similarity", "text_positions"})
"""Columns of FACTS that rules on images do not read, or not as they stand there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """The rules of a recipe by what they judge, options bound."""

    text: Sequence[BoundRule]
    url: Sequence[BoundRule]
    image: Sequence[BoundRule]
    doc: Sequence[BoundRule]
    removals: Removals = field(default_factory=Removals)
    """What was taken down, before any rule is asked."""

    @classmethod
    def of(cls, recipe: Recipe, removals: Removals | None = None) -> Self:
        """Return those of a recipe."""
        admit, keep = rule_configs(recipe.admit), rule_configs(recipe.keep)
        return cls(
            text=rules_at("text", admit),
            url=rules_at("url", admit),
            image=rules_at("image", keep),
            doc=rules_at("doc", keep),
            removals=removals or Removals(),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """What has become of the documents and images of a partition."""

    facts: Facts
    documents: Fates
    images: Fates

    def standing_images(self) -> Flags:
        """Return which images stand, and their documents with them, [M]."""
        return self.images.standing() & self.documents.standing()[self.facts.document]

    def count_images(self) -> Ints:
        """Return the number of standing images of each document, [N]."""
        standing = self.facts.document[self.images.standing()]
        return np.bincount(standing, minlength=self.facts.documents.num_rows)


def admit(facts: Facts, rules: Rules, url_counts: Ints | None) -> Judged:
    """Apply what can be told before images are fetched: what was taken down, faults, rules on text, rules on URLs.

    Args:
        facts: Of the partition.
        rules: Of the recipe.
        url_counts: [M] how often each image's URL occurs in the run; None where no rule asks.
    """
    judged = Judged(
        facts=facts, documents=Fates.open(facts.documents.num_rows), images=Fates.open(facts.images.num_rows)
    )
    _judge_removed(judged, rules.removals)
    stages, reasons, details = (facts.documents[name].to_numpy(zero_copy_only=False) for name in FAULT_COLUMNS)
    faulty = np.flatnonzero(~is_missing(reasons) & judged.documents.standing())
    judged.documents.reject(faulty, stage=stages[faulty], reasons=reasons[faulty], details=details[faulty])
    _judge_empty(judged)
    _judge_texts(judged, rules.text)
    _judge_urls(judged, rules.url, url_counts)
    return judged


def judge(facts: Facts, rules: Rules, url_counts: Ints | None) -> Judged:
    """Apply every rule: to texts and URLs, fetched images, and documents by the images that are left of them.

    Raises:
        CurateError: Images are wanted that were never fetched.
    """
    judged = admit(facts, rules, url_counts)
    _judge_fetches(judged)
    rows = np.flatnonzero(judged.standing_images())
    if len(rows) and rules.image:
        batch = _take_images(judged, rows)
        judged.images.reject_by(rows, first_reasons(batch, rules.image), stage=Stage.KEEP)
    judge_documents(judged, rules.doc, np.flatnonzero(judged.documents.standing()))
    return judged


def judge_documents(judged: Judged, rules: Sequence[BoundRule], rows: Ints, *, causes: Flags | None = None) -> None:
    """Apply document rules to some standing documents, by the images that are left of them.

    A pair is its image: it falls with it and for its reason, which tells more than "no image left".

    Args:
        judged: What stands; documents are rejected in it.
        rules: On documents.
        rows: Of documents.
        causes: [M] fallen images that a pair may fall with; None: all.
    """
    num_images = judged.count_images()
    judged.documents.reject_by(rows, document_reasons(judged, rules, rows, num_images[rows]), stage=Stage.KEEP)
    kinds = judged.facts.documents["kind"].to_numpy(zero_copy_only=False)
    bare = judged.documents.standing() & (kinds == str(Kind.PAIR)) & (num_images == 0)
    bare &= np.isin(np.arange(len(bare)), rows)
    fallen_images = ~judged.images.standing() if causes is None else causes
    fallen = np.flatnonzero(fallen_images & bare[judged.facts.document])
    owners, first = np.unique(judged.facts.document[fallen], return_index=True)
    cause = fallen[first]
    judged.documents.reject(
        owners,
        stage=judged.images.stages[cause],
        reasons=judged.images.reasons[cause],
        details=judged.images.details[cause],
    )


def document_reasons(judged: Judged, rules: Sequence[BoundRule], rows: Ints, num_images: Ints) -> pa.StringArray:
    """Return what document rules say of documents with so many images left, [R]; null keeps.

    Args:
        judged: Its documents.
        rules: On documents.
        rows: [R] of documents; one may stand there more than once.
        num_images: [R].
    """
    own = judged.facts.documents.select(["doc_id", "kind", "num_words", "num_texts"]).take(pa.array(rows))
    num_words = pc.fill_null(own["num_words"], 0)
    batch = own.set_column(own.schema.get_field_index("num_words"), "num_words", num_words)
    return first_reasons(batch.append_column("num_images", pa.array(num_images, pa.int32())), rules)


def is_document_there(facts: Facts) -> Flags:
    """Return which documents have any item, [N]."""
    has_image = np.bincount(facts.document, minlength=facts.documents.num_rows) > 0
    there: Flags = has_image | (facts.documents["num_texts"].to_numpy() > 0)
    return there


def _judge_removed(judged: Judged, removals: Removals) -> None:
    if not removals:
        return
    facts = judged.facts
    documents = np.array([removals.has_url(url) for url in facts.documents["url"].to_pylist()], dtype=np.bool_)
    hashes = [None if one is None else one.hex() for one in facts.images["image_id"].to_pylist()]
    urls = facts.images["image_url"].to_pylist()
    images = [removals.has_url(url) or own in removals.sha256 for url, own in zip(urls, hashes, strict=True)]
    judged.documents.reject(np.flatnonzero(documents), stage=Stage.ADMIT, reasons=str(Reason.REMOVED))
    judged.images.reject(np.flatnonzero(images), stage=Stage.ADMIT, reasons=str(Reason.REMOVED))


def _judge_empty(judged: Judged) -> None:
    """Reject what has no item at all: it is in no pool, so that something must say why."""
    rows = np.flatnonzero(judged.documents.standing() & ~is_document_there(judged.facts))
    judged.documents.reject(rows, stage=Stage.INGEST, reasons=str(IngestReason.EMPTY_DOCUMENT))


def _judge_texts(judged: Judged, rules: Sequence[BoundRule]) -> None:
    measured = judged.facts.documents["num_words"].is_valid().to_numpy()
    rows = np.flatnonzero(judged.documents.standing() & measured)
    if len(rows) and rules:
        batch = judged.facts.documents.take(pa.array(rows))
        judged.documents.reject_by(rows, first_reasons(batch, rules), stage=Stage.ADMIT)


def _judge_urls(judged: Judged, rules: Sequence[BoundRule], url_counts: Ints | None) -> None:
    rows = np.flatnonzero(judged.standing_images())
    if not len(rows) or not rules:
        return
    batch = _take_images(judged, rows)
    if url_counts is not None:
        batch = batch.append_column("url_count", pa.array(url_counts[rows], pa.int64()))
    judged.images.reject_by(rows, first_reasons(batch, rules), stage=Stage.ADMIT)


def _judge_fetches(judged: Judged) -> None:
    statuses = judged.facts.images["status"].to_numpy(zero_copy_only=False)
    wanted = judged.standing_images()
    if missing := int((wanted & is_missing(statuses)).sum()):
        raise CurateError(f"{missing} admitted images were never fetched; run the recipe again")
    rows = np.flatnonzero(wanted & (statuses != str(FetchStatus.OK)))
    details = judged.facts.images["detail"].to_numpy(zero_copy_only=False)
    judged.images.reject(rows, stage=Stage.FETCH_IMAGES, reasons=_fetch_reasons(statuses[rows]), details=details[rows])


def _fetch_reasons(statuses: Objects) -> Objects:
    codes = {status: fetch_reason(FetchStatus(status)) for status in set(statuses.tolist())}
    return np.array([codes[status] for status in statuses], dtype=object)


def _take_images(judged: Judged, rows: Ints) -> pa.Table:
    kinds = judged.facts.kinds_of_images().take(pa.array(rows))
    judged_by = [name for name in judged.facts.images.column_names if name not in NOT_JUDGED]
    images = judged.facts.images.select(judged_by).take(pa.array(rows))
    return images.append_column("kind", kinds)
