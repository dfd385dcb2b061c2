"""Pages: fetch the HTML of a pages source, then parse it into items."""

import pyarrow as pa

from curate.contract.schemas import ITEMS, PAGES, VERDICTS
from curate.fetch.pages import fetch_pages
from curate.ingest.html import build_page_items
from pipelines.context import RunContext, load_documents, make_tables, stage_fingerprint
from pipelines.engine import Report
from pipelines.host_leases import leased_slots
from pipelines.run_folder import read_table, require_digest
from pipelines.stages.refetch import fetch_missing, fetcher_config

PARSE_VERSION = 1


def fetch_page_bodies(context: RunContext, partition: str) -> Report:
    """Fetch the pages of a partition that are not stored yet."""
    documents = load_documents(context, partition)
    wanted = documents.filter(documents["url"].is_valid()).select(["doc_id", "url"])
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
    made_from = stage_fingerprint("parse", PARSE_VERSION, {}, [require_digest(path)])

    def compute() -> dict[str, pa.Table]:
        items, verdicts = build_page_items(read_table(path))
        return {"items": items, "page_verdicts": verdicts}

    schemas = {"page_verdicts": VERDICTS, "items": ITEMS}
    return make_tables(context, "ingest", partition, made_from=made_from, schemas=schemas, compute=compute)
