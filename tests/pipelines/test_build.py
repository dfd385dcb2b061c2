import io
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from distributed import Client
from rich.console import Console

from curate.blend.pool import read_pool
from curate.contract.errors import BlendError, CurateError, RecipeError
from curate.contract.reasons import Stage
from pipelines.account import account_for
from pipelines.build import Built, _chain, decide_and_write, measure, open_workers
from pipelines.engine.cluster import connect
from pipelines.engine.loop import run_tasks
from pipelines.recipes.load import dump_recipe, parse_recipe
from pipelines.road import StageSpec
from pipelines.run.context import RunContext, load_poison
from pipelines.run.folder import read_json
from pipelines.run.manifest import load_manifest
from pipelines.run.progress import Progress
from pipelines.run.workers import Workers
from pipelines.verify import verify
from tests.pipelines.cluster_tasks import DEADLY, hold_documents, read_items, read_items_again
from tests.pipelines.corpus import (
    SOURCES,
    Picture,
    chat,
    decide_all,
    doc,
    jpeg,
    make_context,
    measured,
    pair,
    verdicts_of,
    write_partition,
)
from tests.pipelines.web import Web

MMC4, COYO, FLAN = "mmc4-00000-00000", "coyo-00000-00000", "flan-00000-00000"
TEXT = "words of a document"
READING = (
    StageSpec(stage=Stage.MEASURE_TEXT, call=read_items, per="partition", does="read"),
    StageSpec(stage=Stage.MEASURE_IMAGES, call=read_items_again, per="partition", does="read again"),
)


def quiet(context: RunContext) -> Progress:
    return Progress(context.folder, console=Console(file=io.StringIO()))


def workers_of(client: Client, context: RunContext, progress: Progress | None = None) -> Workers:
    return open_workers(client, context, progress or quiet(context))


def build(client: Client, context: RunContext, progress: Progress | None = None) -> Built:
    """Walk the whole road."""
    workers = workers_of(client, context, progress)
    return decide_and_write(workers, context, measure(workers, context))


def sources_of(context: RunContext, built: Built) -> Counter[str]:
    """Return how many documents that may be used are of each source."""
    pool = read_pool(built.decided.iterate_pool(context))
    return Counter(pool.group_names[group][0] for group in pool.groups.tolist())


def measured_run(root: Path, recipe: str = "") -> RunContext:
    """Return a run that was fetched and measured."""
    context = make_context(root, recipe)
    write_partition(context, MMC4, [doc("z", TEXT, Picture(number=1)), doc("a", TEXT, Picture(number=2))])
    write_partition(context, COYO, [pair("p", Picture(number=1)), pair("q", Picture(number=3))])
    write_partition(context, FLAN, [chat("c")])
    return context


def finish(client: Client, context: RunContext) -> Built:
    """Decide, blend, write shards and account; the run has to hold together."""
    workers = workers_of(client, context)
    built = decide_and_write(workers, context, measured(context, MMC4, COYO, FLAN))
    account_for(workers, context, built.decided)
    assert verify(context.folder.root) == []
    return built


@pytest.fixture
def online(tmp_path: Path, web: Web) -> RunContext:
    """Return a run whose sources are files and whose images are on a web server."""
    for number in (1, 2, 3):
        web.answers[f"/{number}.jpg"] = (200, "image/jpeg", jpeg(number))
    paragraph = "<p>This page says a good deal about the picture that stands below all of its long sentences.</p>"
    web.answers["/page"] = (200, "text/html", f"<body>{paragraph * 4}<img src='3.jpg'>{paragraph}</body>".encode())
    documents = [
        {"url": "http://h/1", "text_list": [TEXT], "image_info": [{"raw_url": f"{web.url}/1.jpg"}]},
        {"url": "http://h/2", "text_list": [TEXT], "image_info": [{"raw_url": f"{web.url}/2.jpg"}]},
        {"url": "http://h/3", "text_list": [TEXT], "image_info": [{"raw_url": f"{web.url}/gone.jpg"}]},
    ]
    lines = "".join(json.dumps(document) + "\n" for document in documents)
    (tmp_path / "mmc4.jsonl").write_text(lines, encoding="utf-8")
    (tmp_path / "coyo.csv").write_text(f"url,text\n{web.url}/1.jpg,a picture\n", encoding="utf-8")
    (tmp_path / "flan.jsonl").write_text('{"instruction": "say yes", "output": "yes"}\n', encoding="utf-8")
    (tmp_path / "pages.txt").write_text(f"{web.url}/page\n", encoding="utf-8")
    pages = SOURCES.replace("sources:", "sources:\n  - {name: pages, type: pages, path: pages.txt}")
    recipe = "partition_num_docs: 2\nkeep: {doc.images: {min: 1}}\n"
    return replace(make_context(tmp_path / "run", recipe, sources=pages), base=str(tmp_path))


PARTITIONS = ("pages-00000-00000", "mmc4-00000-00000", "mmc4-00000-00001", "coyo-00000-00000", "flan-00000-00000")


def test_the_whole_road(client: Client, online: RunContext, web: Web) -> None:
    built = build(client, online)
    assert built.manifest.partitions == PARTITIONS
    assert load_manifest(online).partitions == PARTITIONS
    assert built.manifest.num_docs == 6
    assert sources_of(online, built) == {"pages": 1, "mmc4": 2, "coyo": 1, "flan": 1}
    assert sorted(web.asked) == ["/1.jpg", "/1.jpg", "/2.jpg", "/3.jpg", "/gone.jpg", "/page"]
    account_for(workers_of(client, online), online, built.decided)
    assert verify(online.folder.root) == []
    written = Path(online.folder.file("recipe.yaml")).read_text(encoding="utf-8")
    assert parse_recipe(written) == online.recipe


def test_a_second_run_does_nothing_and_a_looser_one_only_what_is_missing(
    client: Client, online: RunContext, web: Web
) -> None:
    strict = replace(online, recipe=parse_recipe(_text(online), overrides=["admit.url.tokens.deny=['2']"]))
    build(client, strict)
    shard = Path(online.folder.file("shards", "main", "00000.tar")).read_bytes()
    web.asked.clear()
    progress = quiet(strict)
    build(client, strict, progress)
    assert web.asked == []
    assert Path(online.folder.file("shards", "main", "00000.tar")).read_bytes() == shard
    assert "gather_facts" in progress.counters
    assert "decide" not in progress.counters
    assert all(counts["skipped"] == counts["done"] for counts in progress.counters.values())
    build(client, online)
    assert web.asked == ["/2.jpg"]


def _text(context: RunContext) -> str:
    return dump_recipe(context.recipe)


def test_frequent_urls_are_counted_over_the_whole_run_before_images_are_fetched(
    client: Client, online: RunContext, web: Web
) -> None:
    context = replace(online, recipe=parse_recipe(_text(online), overrides=["admit.url.frequency.max=1"]))
    built = build(client, context)
    assert sorted(web.asked) == ["/2.jpg", "/3.jpg", "/gone.jpg", "/page"]
    assert "coyo" not in sources_of(context, built)
    assert built.manifest.partitions == PARTITIONS


def test_two_sources_over_one_file_are_both_read(client: Client, online: RunContext) -> None:
    sources = """
sources:
  - {name: first, type: instructions, path: flan.jsonl}
  - {name: second, type: instructions, path: flan.jsonl}
"""
    context = replace(online, recipe=parse_recipe(sources))
    built = build(client, context)
    assert built.manifest.partitions == ("first-00000-00000", "second-00000-00000")
    assert sources_of(context, built) == {"first": 1, "second": 1}


def test_images_stored_under_other_options_are_not_mixed(client: Client, online: RunContext) -> None:
    build(client, online)
    resized = replace(online, recipe=parse_recipe(_text(online), overrides=["fetch.resize={shorter_side: 8}"]))
    with pytest.raises(RecipeError, match=r"fetch\.resize: images here are stored with None; give another --out"):
        build(client, resized)


def test_deciding_again_touches_no_measure_and_no_web(client: Client, online: RunContext, web: Web) -> None:
    built = build(client, online)
    web.asked.clear()
    files = [path for path in Path(online.folder.root).rglob("*.parquet") if path.parts[-3] in {"fetch", "measure"}]
    before = {path: path.stat().st_mtime_ns for path in files}
    overrides = ["keep.image.aspect.max=1.45", "blend.name=strict"]
    strict = replace(online, recipe=parse_recipe(_text(online), overrides=overrides))
    again = decide_and_write(workers_of(client, strict), strict, built.manifest)
    assert sources_of(strict, again) == {"coyo": 1, "flan": 1, "mmc4": 1}
    assert web.asked == []
    assert {path: path.stat().st_mtime_ns for path in files} == before
    assert Path(online.folder.file("shards", "main", "manifest.json")).exists()
    account_for(workers_of(client, strict), strict, again.decided)
    assert verify(online.folder.root) == []


def test_a_rule_on_frequency_is_counted_when_it_comes_late(client: Client, tmp_path: Path) -> None:
    context = measured_run(tmp_path, "admit: {url.frequency: {max: 1}}\n")
    built = finish(client, context)
    pool = [pool["doc_id"].to_pylist() for _, pool in built.decided.iterate_pool(context)]
    assert pool == [["z", "a"], ["q"], ["c"]]
    assert verdicts_of(context, built.decided, MMC4) == {("z", 1): "url.frequency"}


@pytest.mark.parametrize("name", ["main", "strict"])
def test_a_shard_set_may_have_any_name(client: Client, tmp_path: Path, name: str) -> None:
    context = measured_run(tmp_path, f"blend: {{name: {name}, total: 2}}\n")
    finish(client, context)
    ledger = read_json(context.folder.file("ledger.json"))
    assert ledger["totals"]["documents"] == {"in": 5, "kept": 2, "rejected": {"blend.not_drawn": 3}}


def test_a_blend_that_the_pool_cannot_give_is_named(client: Client, tmp_path: Path) -> None:
    with pytest.raises(BlendError):
        finish(client, measured_run(tmp_path, "blend: {total: 100}\n"))
    nothing_left = measured_run(tmp_path, "keep: {image.size: {min: 9999}, doc.images: {kinds: [interleaved, text]}}\n")
    with pytest.raises(BlendError, match="pool of 0 documents"):
        finish(client, nothing_left)


def test_a_folder_without_a_run_has_no_partitions(tmp_path: Path) -> None:
    with pytest.raises(CurateError, match="no finished run here; start one with `curate run`"):
        load_manifest(make_context(tmp_path))


def test_the_window_follows_the_workers_unless_it_is_given(client: Client, tmp_path: Path) -> None:
    assert workers_of(client, make_context(tmp_path)).window == 6
    assert workers_of(client, make_context(tmp_path, "engine: {window: 3}\n")).window == 3


def test_stages_of_a_partition_follow_each_other(client: Client, tmp_path: Path) -> None:
    context = measured_run(tmp_path)
    tasks = [_chain(client, context, name, READING) for name in (MMC4, COYO)]
    reports = list(run_tasks(client, tasks, window=4))
    for name in (MMC4, COYO):
        assert [report.stage for report in reports if report.partition == name] == ["read_items", "read_items_again"]


def test_a_document_that_kills_its_worker_is_set_aside_and_the_rest_goes_on(client: Client, tmp_path: Path) -> None:
    context = make_context(tmp_path)
    write_partition(context, MMC4, [doc(DEADLY, TEXT)])
    write_partition(context, COYO, [pair("p", Picture(number=1))])
    tasks = [_chain(client, context, name, READING) for name in (MMC4, COYO)]
    reports = list(run_tasks(client, tasks, window=4))
    assert [load_poison(context, name) for name in (MMC4, COYO)] == [{DEADLY: "measure_text"}, {}]
    finished = {report.partition: report.counters["items"] for report in reports if report.stage == "read_items_again"}
    assert finished == {MMC4: 0, COYO: 2}
    decided = decide_all(context, MMC4, COYO)
    assert verdicts_of(context, decided, MMC4) == {(DEADLY, -1): "engine.poison"}


@pytest.mark.slow
def test_documents_are_not_blamed_for_a_lack_of_memory(tmp_path: Path) -> None:
    context = make_context(tmp_path)
    write_partition(context, MMC4, [doc("a", TEXT), doc("b", TEXT)])
    hold = (StageSpec(stage=Stage.MEASURE_TEXT, call=hold_documents, per="partition", does="hold"),)
    with (
        connect(scheduler=None, num_workers=1, gpus=0, memory_limit="600MB") as narrow,
        pytest.raises(
            CurateError, match=rf"measure_text failed on 1 partitions \({MMC4}\): .*raise engine.memory_limit"
        ),
    ):
        list(run_tasks(narrow, [_chain(narrow, context, MMC4, hold)], window=4))
    assert load_poison(context, MMC4) == {}
