from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from pipelines.decide.url_counts import count_urls
from pipelines.engine.loop import Report, Task
from pipelines.run import manifest
from pipelines.run.context import RunContext
from pipelines.run.tables import URL_COUNTS
from tests.pipelines.corpus import Doc, Picture, doc, make_context, pictures, set_aside, url_of, write_partition
from tests.pipelines.cut_small import cut_small
from tests.pipelines.in_process import InProcess

FIRST, SECOND = "mmc4-00000-00000", "mmc4-00001-00000"
LOGO, PHOTO = Picture(number=1, url="http://h/logo"), Picture(number=2, url="http://h/b")


def corpus(tmp_path: Path) -> RunContext:
    context = make_context(tmp_path)
    write_partition(context, FIRST, [doc("b", "text", LOGO, PHOTO), doc("a", LOGO, "text")])
    write_partition(context, SECOND, [doc("c", LOGO, Picture(number=2, url="http://h/a"), PHOTO)])
    return context


def counts_of(context: RunContext, *partitions: str) -> dict[tuple[str, int], int]:
    tables = [context.folder.read(URL_COUNTS, name) for name in partitions]
    rows = [row for table in tables for row in table.to_pylist()]
    found = {(row["doc_id"], row["position"]): row["url_count"] for row in rows}
    assert len(found) == len(rows)
    return found


def phases(context: RunContext, *partitions: str) -> tuple[str, int]:
    """Count; return the fingerprint and how many tasks did more than look whether something has changed."""
    workers = InProcess()
    made_from = count_urls(workers, context, partitions)
    looks = sum(bool(report.made) for report in workers.reports)
    return made_from, len(workers.reports) - looks


def test_urls_are_counted_over_all_partitions_and_single_ones_left_out(tmp_path: Path) -> None:
    context = corpus(tmp_path)
    count_urls(InProcess(), context, [FIRST, SECOND])
    assert counts_of(context, FIRST) == {("b", 1): 3, ("b", 2): 2, ("a", 0): 3}
    assert counts_of(context, SECOND) == {("c", 0): 3, ("c", 2): 2}
    assert not Path(context.folder.file("shuffle", "urls")).exists()


def draw_corpus(context: RunContext, seed: int, names: list[str]) -> list[Doc]:
    """Write partitions of documents whose pictures share their addresses; return the documents."""
    rng = np.random.default_rng(seed)
    drawn: list[Doc] = []
    for name in names:
        own = []
        for number in range(int(rng.integers(0, 4))):
            addresses = rng.zipf(1.6, size=rng.integers(0, 5)) % 40
            items = [Picture(number=0, url=f"http://h/{address}") for address in addresses.tolist()]
            own.append(doc(f"{name}-{9 - number}", "text", *items))
        write_partition(context, name, own)
        drawn += own
    return drawn


@pytest.mark.parametrize(("fold_partitions", "folds_per_bucket"), [(1, 1), (2, 2), (3, 1), (64, 8)])
@pytest.mark.parametrize("seed", [1, 2])
def test_many_folds_and_buckets_count_as_a_plain_counter_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fold_partitions: int, folds_per_bucket: int, seed: int
) -> None:
    cut_small(monkeypatch, fold_partitions=fold_partitions, folds_per_bucket=folds_per_bucket)
    context = make_context(tmp_path)
    names = [f"mmc4-{n:05d}-00000" for n in range(11)]
    drawn = draw_corpus(context, seed, names)
    aside = {drawn[3].doc_id, drawn[8].doc_id}
    for doc_id in aside:
        set_aside(context, doc_id.rpartition("-")[0], doc_id)
    count_urls(InProcess(), context, names)
    images = [
        (d, position, url_of(picture)) for d in drawn if d.doc_id not in aside for position, picture in pictures(d)
    ]
    plain = Counter(url for _, _, url in images)
    wanted = {(d.doc_id, position): plain[url] for d, position, url in images if plain[url] > 1}
    assert counts_of(context, *names) == wanted
    assert len(set(wanted.values())) > 2
    if (fold_partitions, folds_per_bucket) == (1, 1):
        assert manifest.count_buckets(len(manifest.cut_folds(names))) == 11


def test_nothing_is_counted_again_until_items_change(tmp_path: Path) -> None:
    context = corpus(tmp_path)
    first, num_tasks = phases(context, FIRST, SECOND)
    assert num_tasks > 0
    assert phases(context, FIRST, SECOND) == (first, 0)
    write_partition(context, SECOND, [doc("c", LOGO, PHOTO)])
    second, num_tasks = phases(context, FIRST, SECOND)
    assert second != first
    assert num_tasks > 0
    assert counts_of(context, SECOND) == {("c", 0): 3, ("c", 1): 2}
    assert phases(context, FIRST, SECOND) == (second, 0)


def test_documents_set_aside_and_partitions_gone_count_no_more(tmp_path: Path) -> None:
    context = corpus(tmp_path)
    seen = {phases(context, FIRST, SECOND)[0]}
    set_aside(context, FIRST, "b")
    seen.add(phases(context, FIRST, SECOND)[0])
    assert counts_of(context, FIRST, SECOND) == {("a", 0): 2, ("c", 0): 2}
    seen.add(phases(context, FIRST)[0])
    assert counts_of(context, FIRST) == {}
    assert len(seen) == 3


def test_a_lost_table_is_counted_anew(tmp_path: Path) -> None:
    context = corpus(tmp_path)
    first, _ = phases(context, FIRST, SECOND)
    wanted = counts_of(context, FIRST, SECOND)
    Path(context.folder.path(URL_COUNTS, SECOND)).unlink()
    assert phases(context, FIRST, SECOND)[0] == first
    assert counts_of(context, FIRST, SECOND) == wanted


def test_what_an_interrupted_count_left_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cut_small(monkeypatch, fold_partitions=1)
    context = corpus(tmp_path)

    class Interrupted(InProcess):
        def run(self, phase: str, tasks: Sequence[Task]) -> Iterator[Report]:
            if phase == "join URL counts":
                raise KeyboardInterrupt
            yield from super().run(phase, tasks)

    with pytest.raises(KeyboardInterrupt):
        count_urls(Interrupted(), context, [FIRST, SECOND])
    workers = InProcess()
    count_urls(workers, context, [FIRST, SECOND])
    assert [report.skipped for report in workers.reports if not report.made] == [True] * 4 + [False] * 2
    assert counts_of(context, FIRST) == {("b", 1): 3, ("b", 2): 2, ("a", 0): 3}


def test_a_run_without_images_or_partitions_is_counted(tmp_path: Path) -> None:
    context = make_context(tmp_path)
    write_partition(context, FIRST, [doc("a", "text")])
    count_urls(InProcess(), context, [FIRST])
    assert counts_of(context, FIRST) == {}
    count_urls(InProcess(), context, [])
