import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from curate.contract.ids import doc_id
from pipelines.engine.loop import Report
from pipelines.recipes.load import parse_recipe
from pipelines.run.context import RunContext
from pipelines.run.tables import DOCUMENTS, HELD_IMAGES, INGEST_VERDICTS, ITEMS, PAGES, Table
from pipelines.stages.ingest import InputFile, ingest_file, input_files
from pipelines.stages.pages import parse_pages
from tests.curate.ingest.files.test_tars import tar
from tests.curate.ingest.files.test_warc import record as warc_record
from tests.pipelines.corpus import SOURCES, jpeg, make_context


@pytest.fixture
def context(tmp_path: Path) -> RunContext:
    for name, texts in {"mmc4-b.jsonl": ["one"], "mmc4-a.jsonl": ["two", "three", "four"]}.items():
        lines = [json.dumps({"url": f"http://h/{t}", "text_list": [t], "image_info": []}) for t in texts]
        (tmp_path / name).write_text("\n".join([*lines, "{broken"]) + "\n", encoding="utf-8")
    (tmp_path / "coyo.csv").write_text("url,text\nhttp://h/1.jpg,a cat\n", encoding="utf-8")
    made = make_context(tmp_path / "run", "partition_num_docs: 2\n")
    return replace(made, base=str(tmp_path))


def files(context: RunContext) -> dict[str, InputFile]:
    return {file.label: file for file in input_files(context)}


def under(context: RunContext, *overrides: str) -> RunContext:
    recipe = parse_recipe(SOURCES + "partition_num_docs: 2\n", overrides=overrides)
    return replace(context, recipe=recipe)


def test_files_come_in_the_order_of_sources_and_sorted(context: RunContext) -> None:
    found = [(file.source.name, file.label, file.number) for file in input_files(context)]
    assert found == [
        ("mmc4", "mmc4-a.jsonl", 0),
        ("mmc4", "mmc4-b.jsonl", 1),
        ("coyo", "coyo.csv", 0),
        ("flan", "flan.jsonl", 0),
    ]
    assert all(Path(file.path).parent == Path(context.base) for file in input_files(context))


def test_a_file_is_cut_into_partitions_named_by_the_input(context: RunContext) -> None:
    report = ingest_file(context, files(context)["mmc4-a.jsonl"])
    assert report.partitions == ("mmc4-00000-00000", "mmc4-00000-00001")
    assert (report.counters, report.skipped) == ({"documents": 4}, False)
    first, second = (context.folder.read(DOCUMENTS, name) for name in report.partitions)
    ids = [doc_id("mmc4", f"http://h/{text}", f"mmc4-a.jsonl#{row}") for row, text in enumerate(["two", "three"], 1)]
    assert first["doc_id"].to_pylist() == ids
    assert second.num_rows == 2
    verdicts = context.folder.read(INGEST_VERDICTS, "mmc4-00000-00001").to_pylist()
    assert [row["reason"] for row in verdicts] == ["ingest.malformed_record"]
    assert [row["doc_id"] for row in verdicts] == second["doc_id"].to_pylist()[1:]


def test_a_file_that_is_not_there_is_one_rejected_document(context: RunContext) -> None:
    report = ingest_file(context, files(context)["flan.jsonl"])
    verdicts = context.folder.read(INGEST_VERDICTS, *report.partitions).to_pylist()
    assert [row["reason"] for row in verdicts] == ["ingest.missing_file"]
    documents = context.folder.read(DOCUMENTS, *report.partitions)
    assert documents["kind"].to_pylist() == ["text"]


def test_an_empty_file_has_no_partition(context: RunContext) -> None:
    Path(context.base, "flan.jsonl").write_text("", encoding="utf-8")
    assert ingest_file(context, files(context)["flan.jsonl"]).partitions == ()


def test_a_file_is_read_once(context: RunContext) -> None:
    file = files(context)["mmc4-a.jsonl"]
    first = ingest_file(context, file)
    assert ingest_file(context, file) == Report(
        stage="ingest", partition=first.partition, skipped=True, partitions=first.partitions
    )


@pytest.mark.parametrize(
    "overrides", [["sources.mmc4.name=other"], ["partition_num_docs=3"], ["sources.coyo.text_column=text"]]
)
def test_a_changed_option_reads_the_file_again(context: RunContext, overrides: list[str]) -> None:
    before, changed = files(context), under(context, *overrides)
    for label in ("mmc4-a.jsonl", "coyo.csv"):
        ingest_file(context, before[label])
    skipped = {label: ingest_file(changed, files(changed)[label]).skipped for label in ("mmc4-a.jsonl", "coyo.csv")}
    assert skipped == {
        "mmc4-a.jsonl": "coyo" in overrides[0],
        "coyo.csv": "mmc4" in overrides[0],
    }


def test_options_that_are_not_of_ingest_read_nothing_again(context: RunContext) -> None:
    file = files(context)["mmc4-a.jsonl"]
    ingest_file(context, file)
    assert ingest_file(under(context, "keep.image.size.min=7", "fetch.timeout_s=9"), file).skipped


def test_a_limit_reads_so_many_documents_of_every_file(context: RunContext) -> None:
    limited, file = replace(context, limit=1), files(context)["mmc4-a.jsonl"]
    assert ingest_file(limited, file).counters == {"documents": 1}
    whole = ingest_file(context, file)
    assert (whole.skipped, whole.counters) == (False, {"documents": 4})


def test_a_changed_file_is_read_again(context: RunContext) -> None:
    file = files(context)["mmc4-b.jsonl"]
    assert ingest_file(context, file).counters == {"documents": 2}
    with Path(file.path).open("a", encoding="utf-8") as target:
        target.write('{"text_list": ["more"]}\n')
    assert ingest_file(context, file).counters == {"documents": 3}


@pytest.mark.parametrize("table", [DOCUMENTS, ITEMS, INGEST_VERDICTS], ids=lambda table: table.name)
@pytest.mark.parametrize("damage", ["gone", "cut"])
def test_a_table_that_was_lost_is_made_anew(context: RunContext, table: Table, damage: str) -> None:
    file = files(context)["mmc4-a.jsonl"]
    (name, _) = ingest_file(context, file).partitions
    path = Path(context.folder.path(table, name))
    whole = path.read_bytes()
    path.unlink()
    if damage == "cut":
        path.write_bytes(whole[:50])
    ingest_file(context, file)
    assert path.exists()
    assert path.read_bytes() == whole


def test_pages_have_no_items_before_they_are_fetched(context: RunContext) -> None:
    Path(context.base, "pages.txt").write_text("http://h/p\n", encoding="utf-8")
    recipe = parse_recipe("sources: [{name: pages, type: pages, path: pages.txt}]\nfetch: {allow_private: [127.0.0.1]}")
    paged = replace(context, recipe=recipe)
    (file,) = input_files(paged)
    (name,) = ingest_file(paged, file).partitions
    assert paged.folder.read(DOCUMENTS, name)["url"].to_pylist() == ["http://h/p"]
    assert paged.folder.stamp(ITEMS, name) is None
    assert ingest_file(paged, file).skipped


def test_a_page_that_comes_again_is_rejected_with_its_reason(context: RunContext) -> None:
    urls = ["http://h/p?utm_source=a", "http://h/q", "http://h/p"]
    Path(context.base, "pages.txt").write_text("\n".join(urls), encoding="utf-8")
    source = "sources: [{name: pages, type: pages, path: pages.txt, same_page: tracking}]\npartition_num_docs: 2\n"
    paged = replace(context, recipe=parse_recipe(source + "fetch: {allow_private: [127.0.0.1]}"))
    (file,) = input_files(paged)
    first, second = ingest_file(paged, file).partitions
    assert paged.folder.read(DOCUMENTS, first)["url"].to_pylist() == urls[:2]
    assert paged.folder.read(DOCUMENTS, second)["url"].to_pylist() == [None]
    (verdict,) = paged.folder.read(INGEST_VERDICTS, second).to_pylist()
    assert (verdict["reason"], verdict["detail"].partition(": ")[0]) == ("ingest.repeated_page", "pages.txt:3")


def test_an_archive_brings_its_pages_along(tmp_path: Path) -> None:
    body = b"<html><body><article><p>" + b"A sentence about a bridge. " * 20 + b"</p></article></body></html>"
    good, gone = warc_record("http://h/1", body), warc_record("http://h/2", body, status="404 Not Found")
    (tmp_path / "a.warc").write_bytes(good + gone + b"junk\r\n\r\n")
    sources = "sources: [{name: cc, type: warc, path: a.warc}]\nfetch: {contact: 'mailto:a@b.example'}\n"
    context = make_context(tmp_path / "run", sources=sources)
    context = replace(context, base=str(tmp_path))
    (file,) = input_files(context)
    (name,) = ingest_file(context, file).partitions
    pages = context.folder.read(PAGES, name).to_pylist()
    assert [(row["url"], row["status"]) for row in pages] == [("http://h/1", "ok"), ("http://h/2", "http_404")]
    assert pages[0]["fetched_at"] == datetime(2026, 11, 1, 10, tzinfo=UTC)
    documents = context.folder.read(DOCUMENTS, name)["doc_id"].to_pylist()
    assert [row["doc_id"] for row in pages] == documents[:2]
    parse_pages(context, name)
    items = context.folder.read(ITEMS, name).to_pylist()
    assert {row["doc_id"] for row in items} == {documents[0]}
    assert ingest_file(context, file).skipped
    changed = replace(context, recipe=parse_recipe(sources, overrides=["fetch.respect_tdmrep=false"]))
    assert not ingest_file(changed, next(input_files(changed))).skipped


def test_tars_bring_their_images_along(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(tar(("0.jpg", jpeg(1)), ("0.txt", b"a cat"), ("1.txt", b"no picture")))
    context = make_context(tmp_path / "run", sources="sources: [{name: held, type: webdataset, path: a.tar}]\n")
    context = replace(context, base=str(tmp_path))
    (file,) = input_files(context)
    (name,) = ingest_file(context, file).partitions
    (held,) = context.folder.read(HELD_IMAGES, name).to_pylist()
    (image,) = [row for row in context.folder.read(ITEMS, name).to_pylist() if row["modality"] == "image"]
    assert (held["doc_id"], held["position"], held["data"]) == (image["doc_id"], image["position"], jpeg(1))
    assert image["image_url"] == "held:a.tar#1/jpg"
    assert context.folder.read(INGEST_VERDICTS, name).num_rows == 1


def test_pictures_of_a_folder_come_along_or_say_why_not(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "1.jpg").write_bytes(jpeg(1))
    (tmp_path / "a.csv").write_text("url,text\n1.jpg,a cat\n../a.csv,a list\n2.jpg,a dog\n")
    contact = "fetch: {contact: 'mailto:a@b.example'}\n"
    sources = "sources: [{name: own, type: pairs, path: a.csv, image_root: pictures}]\n"
    context = replace(make_context(tmp_path / "run", sources=f"{sources}{contact}"), base=str(tmp_path))
    (file,) = input_files(context)
    (name,) = ingest_file(context, file).partitions
    held = context.folder.read(HELD_IMAGES, name).to_pylist()
    assert [(row["data"], row["status"]) for row in held] == [
        (jpeg(1), None),
        (None, "outside_root"),
        (None, "missing_file"),
    ]
    smaller = replace(context, recipe=parse_recipe(f"{sources}{contact}", overrides=["fetch.max_bytes=100"]))
    assert not ingest_file(smaller, file).skipped
    assert smaller.folder.read(HELD_IMAGES, name)["status"].to_pylist()[0] == "too_large"
