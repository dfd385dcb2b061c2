"""What a finished run says became of each document and image, joined from the run folder's tables."""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml

from curate.contract.reasons import FetchStatus, Modality, Stage
from curate.contract.schemas import WHOLE_DOCUMENT
from pipelines.demo.documents import WorldSource


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageOutcome:
    """One image item of the run."""

    order: tuple[int, int]
    """Of its document in the input, and its position in that: earlier is smaller."""
    reason: str | None
    """Its own verdict, else its document's; None if it reached a shard."""
    matched_text: str | None
    status: FetchStatus | None
    """None if it was never fetched."""

    @property
    def kept(self) -> bool:
        """Return whether it was fit for a shard; the blend may have had no room for it."""
        return self.reason is None or self.reason.startswith(f"{Stage.BLEND}.")


@dataclass(frozen=True, kw_only=True, slots=True)
class WorldOutcomes:
    """Of a run, by the keys that truth has: source, page URL (empty for pairs), image URL."""

    documents: dict[tuple[str, str], str | None]
    """Reason of each document by source and URL; a pair goes by its image's URL."""
    images: dict[tuple[str, str, str], list[ImageOutcome]]


def read_outcomes(out: Path) -> WorldOutcomes:
    """Join documents, items, fetched images, matches and verdicts of a run folder."""
    decided = out / "decided" / json.loads((out / "ledger.json").read_text())["decision"]
    verdicts = _read_verdicts(out, decided)
    items = _group(out / "ingest/items", "position", "modality", "text", "image_url")
    statuses = {(row["doc_id"], row["position"]): row["status"] for row in _rows(out / "fetch/images", "status")}
    matches = {(row["doc_id"], row["position"]): row for row in _rows(decided / "matches", "matched_position")}
    documents: dict[tuple[str, str], str | None] = {}
    images: dict[tuple[str, str, str], list[ImageOutcome]] = defaultdict(list)
    for number, (doc_id, source, url) in enumerate(_ordered_documents(out)):
        page_url = "" if source == WorldSource.PAIRS else url or ""
        reason = verdicts.get((doc_id, WHOLE_DOCUMENT))
        texts = {row["position"]: row["text"] for row in items[doc_id]}
        if page_url:
            documents[source, page_url] = reason
        for row in items[doc_id]:
            if row["modality"] != Modality.IMAGE:
                continue
            place = (doc_id, row["position"])
            status = statuses.get(place)
            outcome = ImageOutcome(
                order=(number, row["position"]),
                reason=verdicts.get(place, reason),
                matched_text=texts.get(matches.get(place, {}).get("matched_position")),
                status=None if status is None else FetchStatus(status),
            )
            images[source, page_url, row["image_url"]].append(outcome)
            if not page_url:
                documents[source, row["image_url"]] = reason
    return WorldOutcomes(documents=documents, images=dict(images))


def _read_verdicts(out: Path, decided: Path) -> dict[tuple[str, int], str]:
    verdicts: dict[tuple[str, int], str] = {}
    for folder in (out / "ingest/verdicts", decided / "verdicts"):
        for row in _rows(folder, "reason"):
            verdicts.setdefault((row["doc_id"], row["position"]), row["reason"])
    return verdicts


def _ordered_documents(out: Path) -> Iterator[tuple[str, str, str | None]]:
    """Yield (doc_id, source, url) in input order: sources as in the recipe, partitions as their names sort."""
    recipe = yaml.safe_load((out / "recipe.yaml").read_text())
    names = [source["name"] for source in recipe["sources"]]
    rows = list(_rows(out / "ingest/documents", "source", "url", keys=("doc_id",)))
    # A stable sort keeps the order within each source.
    for row in sorted(rows, key=lambda row: names.index(row["source"])):
        yield row["doc_id"], row["source"], row["url"]


def _group(folder: Path, *columns: str) -> dict[str, list[dict[str, Any]]]:
    grouped: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in _rows(folder, *columns, keys=("doc_id",)):
        grouped[row["doc_id"]].append(row)
    return grouped


def _rows(folder: Path, *columns: str, keys: tuple[str, ...] = ("doc_id", "position")) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.glob("*.parquet")):
        yield from pq.read_table(path, columns=[*keys, *columns]).to_pylist()
