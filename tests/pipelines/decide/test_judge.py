from typing import Any

import numpy as np
import pytest

from curate.contract.errors import CurateError
from curate.contract.reasons import FetchStatus, Stage
from pipelines.decide.facts import Facts
from pipelines.decide.judge import Judged, Rules, admit, document_reasons, is_document_there, judge, judge_documents
from pipelines.recipes.load import parse_recipe
from pipelines.run.tables import TEXT_MEASURES
from tests.pipelines.corpus import CLIP, SOURCES, Doc, Picture, chat, doc, pair
from tests.pipelines.decide.test_facts import facts_of, verdicts

TEXT = "words of a document"
RULES = (
    CLIP
    + """
admit:
  text.words: {min: 2}
  url.tokens: {deny: [logo]}
keep:
  image.size: {min: 100}
  image.clip: {min: 0.25}
  doc.images: {min: 1, max: 3}
"""
)
LOGO = Picture(number=1, url="http://h/logo.png")
LOST = Picture(number=2, status=FetchStatus.HTTP_404, detail="gone")
SMALL = Picture(number=3, sides=(9, 9))
GOOD = Picture(number=4)


def rules_of(recipe: str = RULES) -> Rules:
    return Rules.of(parse_recipe(SOURCES + recipe))


def judged_of(*docs: Doc, recipe: str = RULES, **more: Any) -> Judged:
    return judge(facts_of(*docs, **more), rules_of(recipe), None)


def test_rules_are_divided_by_what_they_judge() -> None:
    rules = rules_of()
    assert [len(level) for level in (rules.text, rules.url, rules.image, rules.doc)] == [1, 1, 2, 1]
    none = rules_of("")
    assert [*none.text, *none.url, *none.image, *none.doc] == []


def test_each_image_falls_by_the_first_step_that_rejects_it() -> None:
    logo_lost = Picture(number=5, url="http://h/logo", status=FetchStatus.TIMEOUT)
    small_unlike = Picture(number=6, sides=(9, 9), sims=(0.0,))
    judged = judged_of(doc("a", TEXT, LOGO, LOST, SMALL, GOOD, logo_lost, small_unlike, Picture(number=7, sims=(0.1,))))
    assert judged.images.reasons.tolist() == [
        "url.tokens", "fetch.http_404", "image.size", None, "url.tokens", "image.size", "image.clip",
    ]  # fmt: skip
    assert judged.images.stages.tolist() == ["admit", "fetch_images", "keep", None, "admit", "keep", "keep"]
    assert judged.images.details.tolist() == [None, "gone", None, None, None, None, None]
    assert judged.documents.standing().tolist() == [True]
    assert judged.count_images().tolist() == [1]


def test_images_of_fallen_documents_are_not_judged() -> None:
    judged = judged_of(doc("short", "word", LOGO, LOST, SMALL), doc("a", TEXT, GOOD))
    assert judged.documents.reasons.tolist() == ["text.words", None]
    assert judged.images.standing().tolist() == [True] * 4
    assert judged.standing_images().tolist() == [False, False, False, True]


def test_faults_come_before_rules_and_carry_their_detail() -> None:
    judged = judged_of(
        doc("a", "word", GOOD),
        doc("b", "word"),
        doc("c", TEXT, GOOD),
        verdicts=[verdicts(("a", "ingest", "ingest.malformed_record", "x.jsonl:1"))],
        poison={"c": "measure_clip"},
    )
    rows = zip(judged.documents.stages, judged.documents.reasons, judged.documents.details, strict=True)
    assert list(rows) == [
        ("ingest", "ingest.malformed_record", "x.jsonl:1"),
        ("admit", "text.words", None),
        ("measure_clip", "engine.poison", None),
    ]


def test_documents_are_judged_by_the_images_that_are_left() -> None:
    pictures = [Picture(number=n) for n in range(4)]
    judged = judged_of(
        doc("few", TEXT, SMALL, LOST),
        doc("many", TEXT, *pictures),
        doc("just", TEXT, *pictures[:3], SMALL),
        doc("none", TEXT),
    )
    assert judged.documents.reasons.tolist() == ["doc.images", "doc.images", None, "doc.images"]
    assert set(judged.documents.stages.tolist()) == {"keep", None}


@pytest.mark.parametrize(
    ("picture", "stage", "reason", "detail"),
    [
        (LOGO, "admit", "url.tokens", None),
        (LOST, "fetch_images", "fetch.http_404", "gone"),
        (SMALL, "keep", "image.size", None),
    ],
)
def test_a_pair_falls_with_its_image_and_for_its_reason(
    picture: Picture, stage: str, reason: str, detail: str | None
) -> None:
    judged = judged_of(pair("a", GOOD), pair("b", picture), pair("c", GOOD))
    assert judged.documents.reasons.tolist() == [None, reason, None]
    assert (judged.documents.stages[1], judged.documents.details[1]) == (stage, detail)


def test_a_pair_of_two_images_falls_with_the_first_once_none_is_left() -> None:
    two = [
        Doc(doc_id=name, items=(*items, "x"), source="coyo", kind="pair")
        for name, items in (("a", (SMALL, GOOD)), ("b", (LOST, SMALL)))
    ]
    judged = judged_of(*two)
    assert judged.documents.reasons.tolist() == [None, "fetch.http_404"]


def test_a_pair_that_a_document_rule_rejects_has_that_reason() -> None:
    recipe = "keep: {image.size: {min: 100}, doc.images: {min: 1, max: 3, kinds: [pair]}}\n"
    assert judged_of(pair("a", SMALL), recipe=recipe).documents.reasons.tolist() == ["doc.images"]


def test_a_pair_without_any_image_item_has_nothing_to_fall_with() -> None:
    bare = Doc(doc_id="a", items=("a caption",), source="coyo", kind="pair")
    assert judged_of(bare, chat("b"), recipe="").documents.standing().tolist() == [True, True]


def test_after_copies_a_pair_falls_for_what_fell_then_and_others_are_left_alone() -> None:
    judged = judged_of(pair("a", GOOD), pair("b", GOOD), doc("c", TEXT, GOOD))
    judged.images.reject(np.array([1, 2]), stage=Stage.DEDUP, reasons="dedup.exact", details="of a:0")
    causes = np.array([False, True, True])
    judge_documents(judged, rules_of().doc, np.array([1]), causes=causes)
    assert judged.documents.reasons.tolist() == [None, "dedup.exact", None]
    assert judged.documents.details.tolist() == [None, "of a:0", None]
    judge_documents(judged, rules_of().doc, np.array([2]), causes=causes)
    assert judged.documents.reasons.tolist() == [None, "dedup.exact", "doc.images"]


def test_document_rules_may_be_asked_about_one_document_many_times() -> None:
    judged = judged_of(doc("a", TEXT, GOOD), pair("b", GOOD))
    counts = np.array([0, 1, 3, 4, 0])
    reasons = document_reasons(judged, rules_of().doc, np.array([0, 0, 0, 0, 1]), counts)
    assert reasons.to_pylist() == ["doc.images", None, None, "doc.images", None]
    nothing = document_reasons(judged, rules_of().doc, np.array([], np.int64), np.array([], np.int64))
    assert nothing.to_pylist() == []


def test_urls_are_judged_by_how_often_they_occur() -> None:
    recipe = "admit: {url.frequency: {max: 2}}\n"
    facts = facts_of(doc("short", "w", GOOD), doc("a", TEXT, GOOD, Picture(number=5), Picture(number=6)))
    judged = judge(facts, rules_of(recipe), np.array([9, 2, 3, 1]))
    assert judged.images.reasons.tolist() == ["url.frequency", None, "url.frequency", None]


def test_what_is_told_before_fetching_needs_no_images() -> None:
    facts = facts_of(doc("a", TEXT, LOGO, GOOD), doc("b", "word", GOOD), fetched=False)
    judged = admit(facts, rules_of(), None)
    assert judged.documents.reasons.tolist() == [None, "text.words"]
    assert judged.standing_images().tolist() == [False, True, False]
    with pytest.raises(CurateError, match="1 admitted images were never fetched; run the recipe again"):
        judge(facts, rules_of(), None)


def test_images_that_no_one_wants_need_not_have_been_fetched() -> None:
    facts = facts_of(doc("a", TEXT, LOGO), doc("b", "word", GOOD), fetched=False)
    assert judge(facts, rules_of(), None).documents.reasons.tolist() == ["doc.images", "text.words"]


def test_documents_without_a_measure_are_not_judged_by_their_text() -> None:
    none = TEXT_MEASURES.schema.empty_table()
    judged = judged_of(doc("a", GOOD), recipe="admit: {text.words: {min: 2}}\n", text=none)
    assert judged.documents.standing().tolist() == [True]


def test_a_document_is_there_if_it_has_an_item() -> None:
    facts: Facts = facts_of(doc("a"), doc("b", "text"), doc("c", GOOD))
    assert is_document_there(facts).tolist() == [False, True, True]


def test_a_partition_without_documents_is_judged() -> None:
    judged = judged_of()
    assert len(judged.standing_images()) == len(judged.count_images()) == 0
