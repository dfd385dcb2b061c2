from pathlib import Path

from pipelines.decide.admit import load_url_counts
from pipelines.decide.url_counts import count_urls
from pipelines.run.context import RunContext
from pipelines.run.folder import read_table
from tests.pipelines.corpus import Picture, doc, make_context, set_aside, write_partition

FIRST, SECOND = "mmc4-00000-00000", "mmc4-00001-00000"


def corpus(tmp_path: Path) -> RunContext:
    context = make_context(tmp_path)
    logo, photo = Picture(number=1, url="http://h/logo"), Picture(number=2, url="http://h/b")
    write_partition(context, FIRST, [doc("a", "text", logo, photo), doc("b", logo, "text")])
    write_partition(context, SECOND, [doc("c", logo, Picture(number=2, url="http://h/a"), photo)])
    return context


def test_urls_are_counted_over_all_partitions_and_single_ones_left_out(tmp_path: Path) -> None:
    context = corpus(tmp_path)
    assert load_url_counts(context) == {}
    count_urls(context, [FIRST, SECOND])
    assert load_url_counts(context) == {"http://h/logo": 3, "http://h/b": 2}
    urls = read_table(context.folder.file("measure", "url_counts.parquet"))["image_url"].to_pylist()
    assert urls == sorted(urls)


def test_counts_are_made_again_only_when_items_change(tmp_path: Path) -> None:
    context = corpus(tmp_path)
    path = Path(context.folder.file("measure", "url_counts.parquet"))
    count_urls(context, [FIRST, SECOND])
    before = path.stat().st_mtime_ns
    count_urls(context, [FIRST, SECOND])
    assert path.stat().st_mtime_ns == before
    set_aside(context, FIRST, "a")
    count_urls(context, [FIRST, SECOND])
    assert load_url_counts(context) == {"http://h/logo": 2}
    count_urls(context, [FIRST])
    assert load_url_counts(context) == {}
