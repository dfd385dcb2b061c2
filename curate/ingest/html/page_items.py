"""The items of fetched pages as tables."""

import pyarrow as pa

from curate.contract.reasons import FetchStatus, IngestReason, Modality, Stage, fetch_reason
from curate.contract.records import Item
from curate.contract.schemas import ITEMS, PAGE_FACTS, PAGES, check_schema, table_from_rows
from curate.contract.verdicts import Verdict, verdict_table
from curate.ingest.html.page import read_page
from curate.ingest.tables import clean_text, item_rows, license_cell

PAGE_COLUMNS = ("doc_id", "url", "final_url", "status", "detail", "charset", "fetched_at", "data")
"""What is read of PAGES."""
PAGE_SCHEMA = pa.schema([PAGES.field(name) for name in PAGE_COLUMNS])
MISSING = "missing:"
"""Begins the name of an image of which a page gives no address."""


def build_page_items(pages: pa.Table) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Parse fetched pages.

    Args:
        pages: PAGE_COLUMNS of PAGES.

    Returns:
        ITEMS of the pages that have any, PAGE_FACTS of them, and VERDICTS on the others: the fetch's reason, or
        ingest.empty_document. An image without an address stands behind the others, under a name that fetching refuses:
        so the ledger counts it.
    """
    check_schema(
        pages.select([name for name in PAGE_COLUMNS if name in pages.column_names]), PAGE_SCHEMA, where="ingest/html"
    )
    items: list[dict[str, object]] = []
    facts: list[dict[str, object]] = []
    verdicts: list[Verdict] = []
    columns = (pages[name] for name in PAGE_COLUMNS)
    for row_id, url, final_url, status, detail, charset, time, data in zip(*columns, strict=True):
        identity, fetched = row_id.as_py(), FetchStatus(status.as_py())
        if fetched is not FetchStatus.OK:
            reason, why = fetch_reason(fetched), clean_text(detail.as_py())
            verdicts.append(Verdict(doc_id=identity, stage=Stage.FETCH_PAGES, reason=reason, detail=why))
            continue
        asked, answered = url.as_py(), final_url.as_py() or url.as_py()
        page = read_page(data.as_py() or b"", url=answered, charset=charset.as_py())
        items.extend(item_rows(identity, (*page.items, *_missing(identity, page.num_missing_images))))
        if not page.items:
            reason, why = IngestReason.EMPTY_DOCUMENT, f"{asked}: no text and no image in the page's content"
            verdicts.append(Verdict(doc_id=identity, stage=Stage.PARSE_PAGES, reason=reason, detail=clean_text(why)))
            continue
        moved = None if answered == asked else answered
        licence = license_cell(page.license)
        facts.append({"doc_id": identity, "final_url": moved, "fetched_at": time.as_py(), "license": licence})
    return table_from_rows(items, ITEMS), table_from_rows(facts, PAGE_FACTS), verdict_table(verdicts)


def _missing(doc_id: str, number: int) -> list[Item]:
    return [Item(modality=Modality.IMAGE, image_url=f"{MISSING}{doc_id}/{place}") for place in range(number)]
