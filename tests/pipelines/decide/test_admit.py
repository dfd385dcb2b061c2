from pathlib import Path

from curate.contract.reasons import IngestReason
from pipelines.decide.admit import admit
from pipelines.decide.url_counts import count_urls
from pipelines.run.joins import keys_of
from pipelines.run.tables import PAGE_VERDICTS
from tests.pipelines.corpus import Doc, Picture, chat, doc, make_context, pair, set_aside, write, write_partition

P = "mmc4-00000-00000"
TEXT = "words of a document"
RULES = """
admit:
  text.language: {allow: [en]}
  text.words: {min: 2}
  url.tokens: {deny: [logo]}
"""


def admitted(
    tmp_path: Path, *docs: Doc, recipe: str = RULES
) -> tuple[dict[tuple[str, int], str], list[tuple[str, int]]]:
    """Return reasons by key, and the keys of admitted images."""
    context = make_context(tmp_path, recipe)
    write_partition(context, P, docs, faults=[("broken", IngestReason.MALFORMED_RECORD)])
    found = admit(context, P)
    reasons = {verdict.key: verdict.reason for verdict in found.verdicts}
    assert len(reasons) == len(found.verdicts)
    assert set(found.items["doc_id"].to_pylist()) <= {d.doc_id for d in docs}
    return reasons, [*keys_of(found.images)]


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
    write_partition(context, P, [doc("a", TEXT, twice, Picture(number=2)), doc("b", TEXT, twice)])
    count_urls(context, [P])
    found = admit(context, P)
    assert [(*verdict.key, verdict.reason) for verdict in found.verdicts] == [
        ("a", 1, "url.frequency"),
        ("b", 1, "url.frequency"),
    ]
    assert keys_of(found.images) == [("a", 2)]


def test_page_faults_count_and_documents_set_aside_are_left_out(tmp_path: Path) -> None:
    context = make_context(tmp_path, RULES)
    write_partition(context, P, [doc("a", TEXT, Picture(number=1)), doc("b", "x"), doc("gone"), chat("c")])
    row = {"doc_id": "gone", "position": -1, "stage": "fetch_pages", "reason": "fetch.http_404"}
    write(context, PAGE_VERDICTS, P, [row])
    set_aside(context, P, "a", "b")
    found = admit(context, P)
    assert [(verdict.doc_id, verdict.reason) for verdict in found.verdicts] == [("gone", "fetch.http_404")]
    assert found.images.num_rows == 0
    assert set(found.items["doc_id"].to_pylist()) == {"c"}
