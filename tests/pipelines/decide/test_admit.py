from pathlib import Path

from curate.contract.reasons import IngestReason
from pipelines.decide.admit import IMAGE_COLUMNS, admit_partition, admitted_images
from pipelines.decide.fates import fate_table
from pipelines.decide.judge import Judged
from pipelines.decide.url_counts import count_urls
from pipelines.run.joins import keys_of
from pipelines.run.tables import PAGE_VERDICTS
from tests.pipelines.corpus import Doc, Picture, chat, doc, make_context, pair, probe, set_aside, write, write_partition
from tests.pipelines.in_process import InProcess

P = "mmc4-00000-00000"
TEXT = "words of a document"
RULES = """
admit:
  text.language: {allow: [en]}
  text.words: {min: 2}
  url.tokens: {deny: [logo]}
"""


def reasons_of(judged: Judged) -> dict[tuple[str, int], str]:
    rows = fate_table(judged.facts, judged.documents, judged.images).to_pylist()
    return {(row["doc_id"], row["position"]): row["reason"] for row in rows}


def admitted(
    tmp_path: Path, *docs: Doc, recipe: str = RULES
) -> tuple[dict[tuple[str, int], str], list[tuple[str, int]]]:
    """Return reasons by key, and the keys of admitted images."""
    context = make_context(tmp_path, recipe)
    write_partition(context, P, docs, faults=[("broken", IngestReason.MALFORMED_RECORD)])
    return reasons_of(admit_partition(context, P)), keys_of(admitted_images(context, P))


def test_reasons_and_order(tmp_path: Path) -> None:
    logo = Picture(number=1, url="http://h/logo.png")
    reasons, images = admitted(
        tmp_path,
        doc("z", TEXT, logo, Picture(number=2)),
        doc("german", TEXT, Picture(number=3), logo, lang="de"),
        doc("short", "word", logo),
        doc("a", Picture(number=4), TEXT),
    )
    assert reasons == {
        ("broken", -1): "ingest.malformed_record",
        ("german", -1): "text.language",
        ("short", -1): "text.words",
        ("z", 1): "url.tokens",
    }
    assert images == [("z", 2), ("a", 0)]


def test_the_first_rule_gives_the_reason(tmp_path: Path) -> None:
    reasons, _ = admitted(tmp_path, doc("a", "word", lang="de"))
    assert reasons[("a", -1)] == "text.language"


def test_without_rules_everything_is_admitted(tmp_path: Path) -> None:
    reasons, images = admitted(tmp_path, doc("a", Picture(number=1), "x", lang="de"), recipe="")
    assert reasons == {("broken", -1): "ingest.malformed_record"}
    assert images == [("a", 0)]


def test_rules_apply_to_their_kinds(tmp_path: Path) -> None:
    # text.words is for interleaved documents: captions and answers are short.
    short = [pair("a", Picture(number=1), "cat"), Doc(doc_id="c", items=("yes",), kind="text")]
    reasons, images = admitted(tmp_path, *short)
    assert reasons == {("broken", -1): "ingest.malformed_record"}
    assert images == [("a", 0)]


def test_a_document_without_text_is_judged_too(tmp_path: Path) -> None:
    reasons, _ = admitted(tmp_path, doc("a", Picture(number=1)))
    assert reasons[("a", -1)] == "text.words"


def test_frequent_urls_fall_everywhere(tmp_path: Path) -> None:
    context = make_context(tmp_path, "admit: {url.frequency: {max: 1}}\n")
    twice = Picture(number=1, url="http://h/twice")
    write_partition(context, P, [doc("b", TEXT, twice, Picture(number=2)), doc("a", TEXT, twice)])
    count_urls(InProcess(), context, [P])
    wanted = {("b", 1): "url.frequency", ("a", 1): "url.frequency"}
    assert reasons_of(admit_partition(context, P)) == wanted
    assert keys_of(admitted_images(context, P)) == [("b", 2)]


def test_page_faults_count_and_documents_set_aside_are_left_out(tmp_path: Path) -> None:
    context = make_context(tmp_path, RULES)
    docs = [doc("a", TEXT, Picture(number=1)), doc("b", "x"), doc("gone", Picture(number=2)), chat("c")]
    write_partition(context, P, docs)
    row = {"doc_id": "gone", "position": -1, "stage": "fetch_pages", "reason": "fetch.http_404"}
    write(context, PAGE_VERDICTS, P, [row])
    set_aside(context, P, "a", "b")
    assert reasons_of(admit_partition(context, P)) == {
        ("a", -1): "engine.poison",
        ("b", -1): "engine.poison",
        ("gone", -1): "fetch.http_404",
    }
    assert admitted_images(context, P).num_rows == 0


def test_what_is_to_be_fetched_comes_with_its_address_and_digest(tmp_path: Path) -> None:
    context = make_context(tmp_path, RULES)
    write_partition(
        context, P, [doc("z", TEXT, Picture(number=1, url="http://h/logo")), doc("a", TEXT, Picture(number=2))]
    )
    found = admitted_images(context, P).to_pylist()
    assert [(row["doc_id"], row["position"], row["image_url"]) for row in found] == [("a", 1, "http://h/2.jpg")]
    assert set(found[0]) <= set(IMAGE_COLUMNS)


def test_a_probe_admits_what_the_whole_partition_does(tmp_path: Path) -> None:
    """Counts of URLs are of the run; the rows of a probe are some of the partition's."""
    context = make_context(tmp_path, "admit: {url.frequency: {max: 1}}\n")
    twice = Picture(number=1, url="http://h/twice")
    docs = [
        doc("c", TEXT, twice, Picture(number=2)),
        doc("b", TEXT, Picture(number=3), twice),
        doc("a", Picture(number=4)),
    ]
    write_partition(context, P, docs)
    count_urls(InProcess(), context, [P])
    whole = keys_of(admitted_images(context, P))
    assert whole == [("c", 2), ("b", 1), ("a", 0)]
    for some in (("a",), ("b",), ("b", "a"), ("c", "a")):
        assert keys_of(admitted_images(probe(context, *some), P)) == [key for key in whole if key[0] in some]
