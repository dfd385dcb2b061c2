"""Where a document came from, put together from the run's tables as a sample tells it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from curate.ingest.config import has_html
from pipelines.run.context import RunContext
from pipelines.run.joins import only_documents
from pipelines.run.tables import PAGE_FACTS


def load_page_facts(context: RunContext, partition: str, documents: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the rows of PAGE_FACTS of documents whose items come from HTML, by doc_id.

    Args:
        context: The run.
        partition: Where the documents are.
        documents: Rows of DOCUMENTS by doc_id.
    """
    paged = {source.name for source in context.recipe.sources if has_html(source)}
    wanted = sorted(doc_id for doc_id, row in documents.items() if row["source"] in paged)
    if not wanted:
        return {}
    rows = only_documents(context.folder.read(PAGE_FACTS, partition), wanted).to_pylist()
    return {row["doc_id"]: row for row in rows}


def tells_fetches(context: RunContext, source: str) -> bool:
    """Say whether samples of a source tell when their pages were fetched.

    The date of an archive is part of the input; that of a fetch of this run differs from run to run.
    """
    archived = {one.name for one in context.recipe.sources if one.type == "warc"}
    return context.recipe.shards.provenance == "full" or source in archived


def provenance(document: Mapping[str, Any], facts: Mapping[str, Any], *, with_time: bool) -> dict[str, Any]:
    """Return what ``KEY.json`` says of a document's origin; what is not known is left out.

    Args:
        document: Row of DOCUMENTS.
        facts: Row of PAGE_FACTS, or empty.
        with_time: Whether to tell when the page was fetched.
    """
    found = dict(document.get("origin") or {}) | {"final_url": facts.get("final_url")}
    found |= {"fetched_at": format_time(facts.get("fetched_at"))} if with_time else {}
    return {name: value for name, value in found.items() if value is not None}


def format_time(time: datetime | None) -> str | None:
    """Return a time as UTC by ISO 8601, to the second."""
    return None if time is None else time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"
