from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from curate.contract.reasons import FetchStatus
from curate.contract.schemas import table_from_rows
from pipelines.decide.facts_table import gather_facts
from pipelines.run import tables
from pipelines.run.context import RunContext
from pipelines.run.removals import Removals, store_removals
from pipelines.stages.measure import measure_partition_clip, measure_partition_images
from pipelines.takedown.partition import delete_bytes, look_for
from tests.pipelines.corpus import CLIP, MADE_FROM, Picture, doc, jpeg, make_context, pair, write, write_partition

P = "mmc4-00000-00000"


def under(context: RunContext, **lists: list[str]) -> RunContext:
    removals = Removals.of(lists)
    store_removals(context.folder, removals)
    return replace(context, removed=removals.digest)


@pytest.fixture
def context(tmp_path: Path) -> RunContext:
    made = make_context(tmp_path, CLIP)
    write_partition(
        made, P, [doc("a", "text", Picture(number=1), Picture(number=2)), doc("b", "more", Picture(number=3))]
    )
    measure_partition_images(made, P)
    gather_facts(made, P)
    return made


def test_what_is_not_on_the_list_is_left_alone(context: RunContext) -> None:
    report = look_for(under(context, hosts=["elsewhere.example"]), P)
    assert report.found is None
    assert report.counters == {"documents": 0, "images": 0}


def test_a_picture_known_by_its_original_is_found_and_put_on_the_list_by_address(context: RunContext) -> None:
    stored = context.folder.read(tables.IMAGES, P).to_pylist()
    rows = [{**row, "original_sha256": "ab" * 32} if row["position"] == 2 else row for row in stored]
    write(context, tables.IMAGES, P, rows)
    report = look_for(under(context, sha256=["AB" * 32]), P)
    assert report.counters == {"documents": 0, "images": 1}
    assert report.found.urls == {"http://h/2.jpg"}
    assert report.found.sha256 == {stored[1]["image_id"]}


def test_a_page_that_led_to_a_host_by_a_redirect_goes_and_its_own_address_stays_away(tmp_path: Path) -> None:
    source = "sources:\n  - {name: pages, type: pages, path: pages.txt}\nfetch: {contact: 'mailto:a@b.example'}\n"
    context = make_context(tmp_path, sources=source)
    name = "pages-00000-00000"
    write_partition(context, name, [doc("a", "text", Picture(number=1)), doc("b", "more", Picture(number=2))])
    html = b"<html><body><p>a page</p></body></html>"
    pages: list[dict[str, object]] = [
        {"doc_id": doc_id, "url": f"http://h/{doc_id}", "final_url": final, "status": str(FetchStatus.OK), "data": html}
        for doc_id, final in (("a", "http://h/a"), ("b", "http://www.bad.example/b"))
    ]
    context.folder.write(tables.PAGES, name, rows=table_from_rows(pages, tables.PAGES.schema), made_from=MADE_FROM)
    gather_facts(context, name)
    report = look_for(under(context, domains=["bad.example"]), name)
    assert report.counters == {"documents": 1, "images": 1}
    assert report.found.urls == {"http://h/b"}
    delete_bytes(under(context, domains=["bad.example"], urls=["http://h/b"]), name)
    assert "b" not in context.folder.read(tables.ITEMS, name)["doc_id"].to_pylist()


def test_bytes_measures_and_held_pictures_go_and_nothing_is_measured_again(context: RunContext) -> None:
    held = [{"doc_id": "a", "position": position, "data": jpeg(position)} for position in (1, 2)]
    write(context, tables.HELD_IMAGES, P, held)
    listed = under(context, urls=["http://h/1.jpg"])
    delete_bytes(listed, P)
    for table in (tables.HELD_IMAGES, tables.IMAGES, tables.IMAGE_MEASURES, tables.CLIP_MEASURES):
        rows = context.folder.read(table, P)
        assert ("a", 1) not in list(zip(rows["doc_id"].to_pylist(), rows["position"].to_pylist(), strict=True))
    assert context.folder.read(tables.CLIP_MEASURES, P).num_rows == 2
    assert measure_partition_images(listed, P).skipped
    assert measure_partition_clip(listed, P).skipped


def test_a_pair_keeps_its_address_as_a_tombstone(tmp_path: Path) -> None:
    context = make_context(tmp_path)
    name = "coyo-00000-00000"
    write_partition(context, name, [pair("p", Picture(number=1)), pair("q", Picture(number=2))])
    gather_facts(context, name)
    delete_bytes(under(context, urls=["http://h/1.jpg"]), name)
    items: pa.Table = context.folder.read(tables.ITEMS, name)
    assert items["image_url"].to_pylist() == ["http://h/1.jpg", None, "http://h/2.jpg", None]
