"""Count image URLs over the whole run, for ``url.frequency``: the one barrier before images are fetched."""

from collections import Counter
from collections.abc import Sequence

from curate.contract.schemas import table_from_rows
from pipelines.run.context import RunContext, items_digest, load_items, stage_fingerprint
from pipelines.run.tables import URL_COUNTS


def count_urls(context: RunContext, partitions: Sequence[str]) -> None:
    """Write ``measure/url_counts.parquet``: every URL that occurs more than once, sorted."""
    inputs = [items_digest(context, partition) for partition in partitions]
    made_from = stage_fingerprint("url_counts", URL_COUNTS.version, {}, inputs)
    stamp = context.folder.stamp(URL_COUNTS)
    if stamp is not None and stamp.fingerprint == made_from:
        return
    counts: Counter[str] = Counter()
    for partition in partitions:
        urls = load_items(context, partition)["image_url"]
        counts.update(url for url in urls.to_pylist() if url is not None)
    rows: list[dict[str, object]] = [{"image_url": url, "url_count": n} for url, n in sorted(counts.items()) if n > 1]
    context.folder.write(URL_COUNTS, rows=table_from_rows(rows, URL_COUNTS.schema), made_from=made_from)
