"""Count image URLs over the whole run, for ``url.frequency``: the one barrier before images are fetched."""

from collections import Counter
from collections.abc import Sequence

from curate.contract.schemas import URL_COUNTS, table_from_rows
from pipelines.run.context import RunContext, items_digest, load_items, stage_fingerprint
from pipelines.run.folder import read_stamp, write_table


def count_urls(context: RunContext, partitions: Sequence[str]) -> None:
    """Write ``measure/url_counts.parquet``: every URL that occurs more than once, sorted."""
    path = context.folder.file("measure", "url_counts.parquet")
    made_from = stage_fingerprint("url_counts", 1, {}, [items_digest(context, partition) for partition in partitions])
    stamp = read_stamp(path)
    if stamp is not None and stamp.fingerprint == made_from:
        return
    counts: Counter[str] = Counter()
    for partition in partitions:
        urls = load_items(context, partition)["image_url"]
        counts.update(url for url in urls.to_pylist() if url is not None)
    rows: list[dict[str, object]] = [{"image_url": url, "url_count": n} for url, n in sorted(counts.items()) if n > 1]
    write_table(path, table_from_rows(rows, URL_COUNTS), schema=URL_COUNTS, made_from=made_from)
