from dataclasses import replace
from pathlib import Path

import pytest

from curate.contract.schemas import table_from_rows
from curate.fetch.config import missing_for_img2dataset
from pipelines.recipes.load import parse_recipe
from pipelines.run import tables
from pipelines.run.context import RunContext
from pipelines.run.stored import iterate_rows
from pipelines.stages.images import fetch_admitted_images
from tests.pipelines.corpus import SOURCES, Picture, Row, doc, jpeg, make_context, probe, write_partition
from tests.pipelines.decide.test_admit import RULES, TEXT, P
from tests.pipelines.web import Web


@pytest.fixture
def online(tmp_path: Path, web: Web) -> RunContext:
    context = make_context(tmp_path, RULES)
    for number in (1, 2, 3):
        web.answers[f"/{number}.jpg"] = (200, "image/jpeg", jpeg(number))
    pictures = [Picture(number=n, url=f"{web.url}/{n}.jpg") for n in (1, 2, 4)]
    logo = Picture(number=3, url=f"{web.url}/3.jpg")
    write_partition(context, P, [doc("b", TEXT, *pictures), doc("a", "x", logo)])
    Path(context.folder.path(tables.IMAGES, P)).unlink()
    return context


def read_all(context: RunContext) -> list[Row]:
    batches = iterate_rows(context, tables.IMAGES, P, columns=tables.IMAGES.schema.names)
    return [row for batch in batches for row in batch.to_pylist()]


def test_admitted_images_are_fetched_and_no_others(online: RunContext, web: Web) -> None:
    report = fetch_admitted_images(online, P)
    assert (report.stage, report.counters) == ("fetch_images", {"fetched": 3, "ok": 2})
    rows = read_all(online)
    assert [(row["doc_id"], row["position"], row["status"]) for row in rows] == [
        ("b", 1, "ok"),
        ("b", 2, "ok"),
        ("b", 3, "http_404"),
    ]
    assert [row["data"] for row in rows] == [jpeg(1), jpeg(2), None]
    assert sorted(web.asked) == ["/1.jpg", "/2.jpg", "/4.jpg"]
    pages = online.folder.read(tables.DOCUMENTS, P)
    page = dict(zip(pages["doc_id"].to_pylist(), pages["url"].to_pylist(), strict=True))["b"]
    assert set(web.referers.values()) == {page}


def test_a_looser_rule_fetches_only_what_it_adds(online: RunContext, web: Web) -> None:
    fetch_admitted_images(online, P)
    web.asked.clear()
    assert fetch_admitted_images(online, P).skipped
    loose = make_context(Path(online.folder.root))
    assert fetch_admitted_images(loose, P).counters == {"fetched": 1, "ok": 1}
    assert web.asked == ["/3.jpg"]


def test_a_probe_fetches_its_documents_only(online: RunContext, web: Web) -> None:
    loose = probe(make_context(Path(online.folder.root)), "a")
    fetch_admitted_images(loose, P)
    assert web.asked == ["/3.jpg"]
    assert not Path(online.folder.path(tables.IMAGES, P)).exists()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.skipif(missing_for_img2dataset() != [], reason="img2dataset is not installed")
def test_another_backend_fetches_nothing_that_is_there(online: RunContext, web: Web) -> None:
    fetch_admitted_images(online, P)
    web.asked.clear()
    switches = ("respect_robots", "respect_tdmrep", "respect_content_usage")
    overrides = ["fetch.backend=img2dataset", *(f"fetch.{name}=false" for name in switches)]
    loose = replace(make_context(Path(online.folder.root)), recipe=parse_recipe(SOURCES, overrides=overrides))
    assert fetch_admitted_images(loose, P).counters == {"fetched": 2, "ok": 1}
    assert sorted(web.asked) == ["/3.jpg", "/4.jpg"]  # what the rules left out, and what failed under another policy
    rows = read_all(online)
    assert [(row["doc_id"], row["status"]) for row in rows] == [
        ("b", "ok"),
        ("b", "ok"),
        ("b", "http_404"),
        ("a", "ok"),
    ]
    assert [row["robots"] for row in rows] == ["allowed", "allowed", None, None]


def test_images_that_the_source_holds_are_not_asked_for(online: RunContext, web: Web) -> None:
    rows: list[dict[str, object]] = [
        {"doc_id": "b", "position": 1, "data": jpeg(7)},
        {"doc_id": "b", "position": 3, "status": "outside_root", "detail": "../a.jpg"},
    ]
    held = table_from_rows(rows, tables.HELD_IMAGES.schema)
    online.folder.write(tables.HELD_IMAGES, P, rows=held, made_from="test")
    fetch_admitted_images(online, P)
    found = read_all(online)
    assert [(row["position"], row["status"], row["data"]) for row in found] == [
        (1, "ok", jpeg(7)),
        (2, "ok", jpeg(2)),
        (3, "outside_root", None),
    ]
    assert web.asked == ["/2.jpg"]
