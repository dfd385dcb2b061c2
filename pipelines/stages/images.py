"""Images: fetch those that admit rules let through, or take them from their source where that holds them."""

import pyarrow as pa
import pyarrow.compute as pc

from curate.contract.reasons import FetchStatus
from curate.fetch.config import Backend
from curate.fetch.errors import FetchError
from curate.fetch.held import Key, decode_held
from curate.fetch.images import fetch_images
from curate.fetch.img2dataset.images import fetch_images_by_img2dataset
from pipelines.decide.admit import admitted_images
from pipelines.engine.host_leases import leased_slots
from pipelines.engine.loop import Report
from pipelines.run.context import RunContext, load_documents
from pipelines.run.tables import HELD_IMAGES, IMAGES, PAGES
from pipelines.stages.refetch import fetch_missing, fetcher_config


def fetch_admitted_images(context: RunContext, partition: str) -> Report:
    """Fetch the admitted images of a partition that are not stored yet."""
    wanted = admitted_images(context, partition)
    config = fetcher_config(context)

    def fetch(missing: pa.Table) -> pa.Table:
        held = _load_held(context, partition, missing)
        is_held = pa.array([key in held for key in _keys(missing)], pa.bool_())
        own = decode_held(missing.filter(is_held), held, config=config)
        rest = missing.filter(pc.invert(is_held))
        return pa.concat_tables([own, fetch_rest(rest)]) if rest.num_rows else own

    def fetch_rest(missing: pa.Table) -> pa.Table:
        if config.backend is Backend.IMG2DATASET:
            return fetch_images_by_img2dataset(missing, config=config)
        with leased_slots(per_host=config.per_host) as slots:
            return fetch_images(_with_pages(missing, context, partition), config=config, slots=slots)

    return fetch_missing(context, partition, IMAGES, wanted=wanted, url_column="image_url", fetch=fetch)


def _load_held(context: RunContext, partition: str, missing: pa.Table) -> dict[Key, bytes | FetchError]:
    """Return the bytes that the source holds of missing images, or why it does not hold what it names."""
    if not missing.num_rows or context.folder.stamp(HELD_IMAGES, partition) is None:
        return {}
    held, wanted = context.folder.read(HELD_IMAGES, partition), set(_keys(missing))
    rows = zip(_keys(held), *(held[name].to_pylist() for name in ("data", "status", "detail")), strict=True)
    return {
        key: data if data is not None else FetchError(FetchStatus(status), detail or "")
        for key, data, status, detail in rows
        if key in wanted
    }


def _keys(rows: pa.Table) -> list[Key]:
    return list(zip(rows["doc_id"].to_pylist(), rows["position"].to_pylist(), strict=True))


def _with_pages(images: pa.Table, context: RunContext, partition: str) -> pa.Table:
    """Append page_url: the page of each image's document, null where it has none."""
    documents = load_documents(context, partition)
    pages = dict(zip(documents["doc_id"].to_pylist(), documents["url"].to_pylist(), strict=True))
    if context.folder.stamp(PAGES, partition) is not None:
        fetched = context.folder.read(PAGES, partition, columns=["doc_id", "final_url"])
        final = zip(fetched["doc_id"].to_pylist(), fetched["final_url"].to_pylist(), strict=True)
        pages |= {doc_id: url for doc_id, url in final if url is not None}
    return images.append_column(
        "page_url", pa.array([pages.get(one) for one in images["doc_id"].to_pylist()], pa.string())
    )
