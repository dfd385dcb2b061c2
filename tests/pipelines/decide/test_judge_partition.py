from pathlib import Path

import pytest

from curate.contract.errors import CurateError
from pipelines.decide.facts_table import load_facts
from pipelines.decide.judge import Rules
from pipelines.decide.judge_partition import LATER_COLUMNS, judge_partition, load_url_counts
from pipelines.run.context import RunContext
from pipelines.run.tables import FACTS, IMAGES, URL_COUNTS
from tests.pipelines.corpus import Picture, doc, make_context, measured, write, write_partition

P = "mmc4-00000-00000"
TEXT = "words of a document"
FREQUENCY = "admit: {url.frequency: {max: 2}}\n"
TOKENS = "admit: {url.tokens: {deny: [logo]}}\n"


def corpus(tmp_path: Path, recipe: str) -> RunContext:
    context = make_context(tmp_path, recipe)
    write_partition(context, P, [doc("b", TEXT, Picture(number=1), Picture(number=2)), doc("a", Picture(number=3))])
    measured(context, P)
    return context


def counted(context: RunContext, *counts: tuple[str, int, int]) -> None:
    rows = [dict(zip(("doc_id", "position", "url_count"), count, strict=True)) for count in counts]
    write(context, URL_COUNTS, P, rows)


def test_a_stored_partition_is_judged_by_the_rules_of_the_recipe(tmp_path: Path) -> None:
    context = corpus(tmp_path, TOKENS)
    write_partition(context, P, [doc("b", TEXT, Picture(number=1, url="http://h/logo"), Picture(number=2))])
    measured(context, P)
    judged = judge_partition(context, P, Rules.of(context.recipe))
    assert judged.images.reasons.tolist() == ["url.tokens", None]


def test_columns_for_matching_are_read_only_where_they_are_needed(tmp_path: Path) -> None:
    context = corpus(tmp_path, "")
    rules = Rules.of(context.recipe)
    few, all_of_them = (judge_partition(context, P, rules, with_matches=one).facts for one in (False, True))
    assert set(few.images.column_names) == set(FACTS.schema.names) - LATER_COLUMNS
    assert all_of_them.images.column_names == FACTS.schema.names


def test_counts_of_urls_stand_beside_their_images_and_others_occur_once(tmp_path: Path) -> None:
    context = corpus(tmp_path, FREQUENCY)
    counted(context, ("a", 0, 3), ("b", 2, 2))
    facts = load_facts(context, P)
    counts = load_url_counts(context, P, facts)
    assert counts is not None
    assert counts.tolist() == [1, 2, 3]
    assert judge_partition(context, P, Rules.of(context.recipe)).images.reasons.tolist() == [
        None,
        None,
        "url.frequency",
    ]
    counted(context)
    again = load_url_counts(context, P, facts)
    assert again is not None
    assert again.tolist() == [1, 1, 1]


def test_counts_that_no_rule_asks_for_are_not_read(tmp_path: Path) -> None:
    """Those of an earlier recipe may be about images that are gone."""
    context = corpus(tmp_path, TOKENS)
    counted(context, ("gone", 7, 9))
    assert load_url_counts(context, P, load_facts(context, P)) is None
    assert judge_partition(context, P, Rules.of(context.recipe)).images.standing().all()


def test_counts_that_a_rule_asks_for_and_that_are_not_there_are_named(tmp_path: Path) -> None:
    context = corpus(tmp_path, FREQUENCY)
    with pytest.raises(CurateError, match=r"measure/url_counts/mmc4-00000-00000\.parquet"):
        load_url_counts(context, P, load_facts(context, P))


def test_images_that_were_never_fetched_are_told_with_their_partition(tmp_path: Path) -> None:
    context = corpus(tmp_path, "")
    write(context, IMAGES, P, [])
    measured(context, P)
    with pytest.raises(CurateError, match=f"{P}: 3 admitted images were never fetched; run the recipe again"):
        judge_partition(context, P, Rules.of(context.recipe))
