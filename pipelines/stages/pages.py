"""Pages: fetch the HTML of a pages source, then parse it into items."""

import pyarrow as pa

from curate.fetch.outbox import Store
from curate.fetch.pages import stream_pages
from curate.ingest.html.page_items import PAGE_COLUMNS, build_page_items
from pipelines.engine.host_leases import leased_slots
from pipelines.engine.loop import Report
from pipelines.run.context import RunContext, load_documents, load_poison, make_tables, stage_fingerprint
from pipelines.run.folder import digest_of
from pipelines.run.joins import without_documents
from pipelines.run.stored import iterate_rows, rows_digest
from pipelines.run.tables import PAGE_FACTS, PAGE_ITEMS, PAGE_VERDICTS, PAGES
from pipelines.stages.refetch import fetch_missing, fetcher_config


def fetch_page_bodies(context: RunContext, partition: str) -> Report:
    """Fetch the pages of a partition that are not stored yet."""
    config = fetcher_config(context)

    def fetch(missing: pa.Table, store: Store) -> None:
        if missing.num_rows:
            with leased_slots(per_host=config.per_host) as slots:
                stream_pages(missing, store=store, config=config, slots=slots)

    wanted = _wanted_pages(context, partition)
    return fetch_missing(context, partition, PAGES, wanted=wanted, url_column="url", fetch=fetch)


def parse_pages(context: RunContext, partition: str) -> Report:
    """Turn the stored HTML of a partition into items, and failed pages into verdicts."""
    wanted = _wanted_pages(context, partition)
    inputs = [rows_digest(context, PAGES, partition), digest_of(wanted)]
    made_from = stage_fingerprint("parse", PAGE_ITEMS.version, {}, inputs)

    def compute() -> tuple[pa.Table, pa.Table, pa.Table]:
        keys = {(doc_id,) for doc_id in wanted["doc_id"].to_pylist()}  # there may be pages that are no longer wanted
        batches = iterate_rows(context, PAGES, partition, columns=PAGE_COLUMNS, keys=keys)
        nothing = tuple(table.schema.empty_table() for table in (PAGE_ITEMS, PAGE_FACTS, PAGE_VERDICTS))
        built = [nothing, *map(build_page_items, batches)]
        items, facts, verdicts = (pa.concat_tables(tables).combine_chunks() for tables in zip(*built, strict=True))
        return verdicts, facts, items

    return make_tables(context, partition, PAGE_VERDICTS, PAGE_FACTS, PAGE_ITEMS, made_from=made_from, compute=compute)


def _wanted_pages(context: RunContext, partition: str) -> pa.Table:
    """Return doc_id and URL of the pages to look at, in input order."""
    documents = without_documents(load_documents(context, partition), list(load_poison(context, partition)))
    return documents.filter(documents["url"].is_valid()).select(["doc_id", "url"])
