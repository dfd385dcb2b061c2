import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

from curate.contract.schemas import ITEMS, table_from_rows
from curate.report.builders import build_blend, build_curve
from curate.report.collect import ReportCollector, draw_entries
from curate.report.data import ReportData, TruthFigure
from curate.report.gallery import PartitionTables
from curate.report.ledger import LedgerCounter
from curate.report.page import render_report
from tests.curate.report import tables as make

HOSTILE = "\"><script>alert('x')</script><img src=http://evil/x onerror=alert(1)>"


class Tags(HTMLParser):
    """Collects every tag with its attributes, and checks that they nest."""

    VOID = frozenset({"meta", "img", "br", "line", "path", "rect", "polyline", "link", "input"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def find(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def hostile_partition() -> PartitionTables:
    part = make.mixed_partition()
    text, image = {"text": HOSTILE}, {"image_url": HOSTILE, "alt_text": HOSTILE}
    rows = [row | (text if row["modality"] == "text" else image) for row in part.items.to_pylist()]
    return replace(part, items=table_from_rows(rows, ITEMS))


def report_data(part: PartitionTables | None = None) -> ReportData:
    part = part or make.mixed_partition()
    counter = LedgerCounter()
    counter.add_partition(part.documents, part.items, part.verdicts)
    collector = ReportCollector(clip_min=0.15)
    collector.add_partition(part, partition="p")
    for doc_ids in collector.sampled().values():
        collector.add_entries(draw_entries(part, doc_ids))
    entry = {"wanted_share": 0.5, "got_share": 0.4996, "drawn": {"samples": 31, "images": 32, "tokens": 33}}
    return collector.finish(
        ledger=counter.to_dict(),
        title=f"run {HOSTILE}",
        facts={"CLIP": "ViT-L-14"},
        blends=[build_blend({"name": "main", "unit": "tokens", "tokens": 1234567, "entries": {"pair": entry}})],
        truth=[
            TruthFigure(name="assignment", value=0.987, target=0.95, num_cases=77),
            TruthFigure(name="only told", value=0.5, target=None, num_cases=3),
        ],
        training=[build_curve("stage 0", [(0, 5.0), (1, 4.0)]), build_curve("stage 1", [])],
    )


def test_every_section_is_there_and_tags_nest() -> None:
    tags = Tags(render_report(report_data()))
    assert tags.open == []
    ids = {attributes.get("id") for _, attributes in tags.tags}
    assert {"funnel", "reasons", "measures", "blend", "truth", "training", "gallery"} <= ids
    links = {(attributes.get("href") or "").lstrip("#") for attributes in tags.find("a")}
    assert links <= ids
    words = " ".join(" ".join(tags.words).split())
    for expected in ("ledger adds up", "ViT-L-14", "1.2M tokens", "0.987", "fetch.http_404", "threshold 0.15"):
        assert expected in words


def test_nothing_from_the_web_becomes_markup() -> None:
    plain, hostile = Tags(render_report(report_data())), Tags(render_report(report_data(hostile_partition())))
    assert len(hostile.find("script")) == len(plain.find("script")) == 1
    assert [tag for tag, _ in hostile.tags].count("img") == [tag for tag, _ in plain.tags].count("img")
    for _, attributes in hostile.tags:
        assert not [name for name in attributes if name.startswith("on")]
    assert HOSTILE in "".join(hostile.words)


def test_nothing_is_loaded_from_anywhere() -> None:
    tags = Tags(render_report(report_data(hostile_partition())))
    for _, attributes in tags.tags:
        for name in ("src", "href", "action", "data", "poster", "srcset"):
            value = attributes.get(name) or ""
            assert value.startswith(("data:image/jpeg;base64,", "#")) or not value
    assert "url(" not in render_report(report_data())


def test_the_policy_allows_the_pages_own_script_only() -> None:
    page = render_report(report_data())
    policy = next(a["content"] or "" for a in Tags(page).find("meta") if a.get("http-equiv"))
    script = re.search(r"<script>(.*?)</script>", page, re.DOTALL)
    assert script is not None
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline';")


def test_images_have_alternative_texts_and_tables_have_headers() -> None:
    tags = Tags(render_report(report_data()))
    assert tags.find("img")
    assert all(image.get("alt") for image in tags.find("img"))
    assert all(header.get("scope") in {"row", "col"} for header in tags.find("th"))
    charts = [svg for svg in tags.find("svg") if svg.get("aria-hidden") is None]
    assert charts
    assert all(svg.get("role") == "img" and svg.get("aria-label") for svg in charts)


def test_a_document_can_be_filtered_by_its_images_reasons() -> None:
    articles = [a for a in Tags(render_report(report_data())).find("article") if "data-kind" in a]
    found = {(a["data-kind"], a["data-outcome"], a["data-reason"]) for a in articles}
    assert ("interleaved", "kept", "image.clip") in found
    assert ("interleaved", "rejected", "doc.images fetch.http_404") in found
    assert ("pair", "rejected", "text.language") in found


def test_a_ledger_that_does_not_add_up_is_said_at_the_top() -> None:
    data = report_data()
    ledger = {**data.ledger, "totals": {**data.ledger["totals"], "images": {"in": 9, "kept": 1, "rejected": {}}}}
    page = render_report(replace(data, ledger=ledger))
    assert "The ledger does not add up" in page
    assert "totals, images: 9 in, but 1 kept + 0 rejected" in page


def test_a_funnel_that_contradicts_the_ledger_is_said_at_the_top() -> None:
    part = make.mixed_partition()
    counter = LedgerCounter()
    counter.add_partition(part.documents, part.items, make.verdicts())  # as if the verdicts had been forgotten
    page = render_report(replace(report_data(part), ledger=counter.to_dict()))
    assert "source pages, images: the funnel ends at 1, the ledger keeps 3" in page
    assert page.count("the funnel ends at") == 4


def test_an_empty_run_renders() -> None:
    part = PartitionTables(documents=make.documents(), items=make.items(), verdicts=make.verdicts())
    data = report_data(part)
    tags = Tags(render_report(replace(data, blends=(), truth=(), training=(), facts={})))
    assert tags.open == []
    assert "Nothing was rejected." in "".join(tags.words)


def test_equal_data_gives_equal_text() -> None:
    assert render_report(report_data()) == render_report(report_data())
