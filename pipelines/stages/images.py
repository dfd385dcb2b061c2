"""Images: fetch those that admit rules let through, or take them from their source where that holds them."""

from collections.abc import Iterator

import pyarrow as pa

from curate.contract.reasons import FetchStatus
from curate.fetch.config import Backend
from curate.fetch.errors import FetchError
from curate.fetch.held import Key, decode_held
from curate.fetch.images import stream_images
from curate.fetch.img2dataset.images import fetch_images_by_img2dataset
from curate.fetch.outbox import Store
from pipelines.decide.admit import admitted_images
from pipelines.engine.host_leases import leased_slots
from pipelines.engine.loop import Report
from pipelines.run.context import RunContext, load_documents
from pipelines.run.stored import iterate_row_groups
from pipelines.run.tables import HELD_IMAGES, IMAGES, PAGES
from pipelines.stages.refetch import fetch_missing, fetcher_config


def fetch_admitted_images(context: RunContext, partition: str) -> Report:
    """Fetch the admitted images of a partition that are not stored yet."""
    wanted = admitted_images(context, partition)
    config = fetcher_config(context)

    def fetch(missing: pa.Table, store: Store) -> None:
        rest = _take_held(context, partition, missing, store=store)
        if not rest.num_rows:
            return
        if config.backend is Backend.IMG2DATASET:
            store(fetch_images_by_img2dataset(rest, config=config))
            return
        with leased_slots(per_host=config.per_host) as slots:
            stream_images(_with_pages(rest, context, partition), store=store, config=config, slots=slots)

    return fetch_missing(context, partition, IMAGES, wanted=wanted, url_column="image_url", fetch=fetch)


def _take_held(context: RunContext, partition: str, missing: pa.Table, *, store: Store) -> pa.Table:
    """Store the missing images that the source holds, a row group at a time; return the others."""
    if not missing.num_rows or context.folder.stamp(HELD_IMAGES, partition) is None:
        return missing
    config, number = fetcher_config(context), {key: place for place, key in enumerate(_keys(missing))}
    done = set[Key]()
    for rows in iterate_row_groups(context.folder, HELD_IMAGES, partition):
        held = {key: found for key, found in _held(rows) if key in number}
        if held:
            own = missing.take(pa.array(sorted(number[key] for key in held), pa.int64()))
            store(decode_held(own, held, config=config))
            done |= held.keys()
    return missing.filter(pa.array([key not in done for key in number], pa.bool_()))


def _held(rows: pa.Table) -> Iterator[tuple[Key, bytes | FetchError]]:
    """Yield the bytes that a source holds, or why it does not hold what it names."""
    columns = (rows[name].to_pylist() for name in ("data", "status", "detail"))
    for key, data, status, detail in zip(_keys(rows), *columns, strict=True):
        yield key, data if data is not None else FetchError(FetchStatus(status), detail or "")


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
