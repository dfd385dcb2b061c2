"""Pages: fetch the HTML of a pages source, then parse it into items."""

import pyarrow as pa

from curate.contract.schemas import ITEMS, PAGES, VERDICTS
from curate.fetch.pages import fetch_pages
from curate.ingest.html.page_items import build_page_items
from pipelines.engine.host_leases import leased_slots
from pipelines.engine.loop import Report
from pipelines.run.context import (
    RunContext,
    load_documents,
    load_poison,
    make_tables,
    only_documents,
    stage_fingerprint,
    without_documents,
)
from pipelines.run.folder import digest_of, read_table, require_digest
from pipelines.stages.refetch import fetch_missing, fetcher_config

PARSE_VERSION = 1


def fetch_page_bodies(context: RunContext, partition: str) -> Report:
    """Fetch the pages of a partition that are not stored yet."""
    wanted = _wanted_pages(context, partition)
    config = fetcher_config(context)
    path = context.folder.table("fetch", "pages", partition)

    def fetch(missing: pa.Table) -> pa.Table:
        with leased_slots(per_host=config.per_host) as slots:
            return fetch_pages(missing, config=config, slots=slots)

    return fetch_missing(
        context,
        partition,
        path=path,
        wanted=wanted,
        schema=PAGES,
        url_column="url",
        fetch=fetch,
    )


def parse_pages(context: RunContext, partition: str) -> Report:
    """Turn the stored HTML of a partition into items, and failed pages into verdicts."""
    path = context.folder.table("fetch", "pages", partition)
    wanted = _wanted_pages(context, partition)
    made_from = stage_fingerprint("parse", PARSE_VERSION, {}, [require_digest(path), digest_of(wanted)])

    def compute() -> dict[str, pa.Table]:
        pages = read_table(path)  # may hold pages that are no longer wanted
        items, verdicts = build_page_items(only_documents(pages, wanted["doc_id"].to_pylist()))
        return {"items": items, "page_verdicts": verdicts}

    schemas = {"page_verdicts": VERDICTS, "items": ITEMS}
    return make_tables(context, "ingest", partition, made_from=made_from, schemas=schemas, compute=compute)


def _wanted_pages(context: RunContext, partition: str) -> pa.Table:
    """Return doc_id and URL of the pages to look at, in input order."""
    documents = without_documents(load_documents(context, partition), load_poison(context, partition))
    documents = documents if context.only is None else only_documents(documents, list(context.only))
    return documents.filter(documents["url"].is_valid()).select(["doc_id", "url"])
