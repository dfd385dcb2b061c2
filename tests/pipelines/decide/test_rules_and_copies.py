from pathlib import Path

import pytest

from curate.blend.queues import hash_doc_ids
from curate.contract.errors import CurateError
from curate.contract.reasons import FetchStatus, IngestReason
from curate.contract.schemas import IMAGES
from pipelines.decide.decided import Decided
from pipelines.run import tables
from pipelines.run.context import RunContext
from pipelines.run.folder import write_table
from tests.pipelines.corpus import (
    CLIP,
    Doc,
    Picture,
    chat,
    decide_all,
    doc,
    jpeg,
    make_context,
    matches_of,
    pair,
    pool_of,
    set_aside,
    verdicts_of,
    write_partition,
)

RULES = (
    CLIP
    + """
admit:
  text.language: {allow: [en], kinds: [interleaved]}
  text.words: {min: 2}
  url.tokens: {deny: [logo]}
keep:
  image.size: {min: 100}
  image.aspect: {max: 2}
  image.clip: {min: 0.25}
  doc.images: {min: 1, max: 3}
dedup: {image: {exact: true, cosine: 0.99}}
"""
)
P = "mmc4-00000-00000"
TEXT = "words of a document"


def decided(tmp_path: Path, docs: list[Doc], recipe: str = RULES) -> tuple[RunContext, Decided]:
    context = make_context(tmp_path, recipe)
    write_partition(context, P, docs)
    return context, decide_all(context, P)


def test_every_reason_stands_in_its_place(tmp_path: Path) -> None:
    context = make_context(tmp_path, RULES)
    docs = [
        doc(
            "mixed",
            TEXT,
            Picture(number=1),
            Picture(number=2, url="http://h/logo.png"),
            Picture(number=3, status=FetchStatus.HTTP_404, detail="gone"),
            Picture(number=4, sides=(99, 400)),
            Picture(number=5, sides=(900, 300)),
            Picture(number=6, sims=(0.2,)),
            Picture(number=1),
            Picture(number=7, direction=1),
        ),
        doc("german", TEXT, Picture(number=8), lang="de"),
        doc("short", "word", Picture(number=9)),
        doc("bare", TEXT, Picture(number=10, sides=(1, 1))),
        doc("crowded", TEXT, *(Picture(number=n) for n in range(11, 15))),
    ]
    write_partition(context, P, docs, faults=[("broken", IngestReason.MALFORMED_RECORD)])
    found = decide_all(context, P)
    assert verdicts_of(context, found, P) == {
        ("broken", -1): "ingest.malformed_record",
        ("german", -1): "text.language",
        ("short", -1): "text.words",
        ("mixed", 2): "url.tokens",
        ("mixed", 3): "fetch.http_404",
        ("mixed", 4): "image.size",
        ("mixed", 5): "image.aspect",
        ("mixed", 6): "image.clip",
        ("mixed", 7): "dedup.exact",
        ("mixed", 8): "dedup.cosine",
        ("bare", 1): "image.size",
        ("bare", -1): "doc.images",
        ("crowded", -1): "doc.images",
    }
    assert found.rejections[("image.size", "images")] == 2
    assert found.rejections[("doc.images", "documents")] == 2
    assert matches_of(context, found, P) == {("mixed", 1): 0}


def test_verdicts_say_where_and_why(tmp_path: Path) -> None:
    failed = Picture(number=1, status=FetchStatus.HTTP_404, detail="not here")
    context, found = decided(tmp_path, [doc("a", TEXT, Picture(number=2), failed), doc("b", TEXT, Picture(number=2))])
    rows = context.folder.read(found.decision.verdicts, P).to_pylist()
    assert rows == [
        {"doc_id": "a", "position": 2, "stage": "fetch_images", "reason": "fetch.http_404", "detail": "not here"},
        {"doc_id": "b", "position": 1, "stage": "dedup", "reason": "dedup.exact", "detail": "of a:1"},
        {"doc_id": "b", "position": -1, "stage": "keep", "reason": "doc.images", "detail": None},
    ]


def test_the_first_rule_that_rejects_an_image_gives_its_reason(tmp_path: Path) -> None:
    bad = Picture(number=1, sides=(10, 90), sims=(0.0,))
    context, found = decided(tmp_path, [doc("a", TEXT, bad, Picture(number=2))])
    assert verdicts_of(context, found, P) == {("a", 1): "image.size"}


def test_what_is_kept_is_in_the_pool(tmp_path: Path) -> None:
    context = make_context(tmp_path, RULES)
    write_partition(context, P, [doc("b", "one two three", Picture(number=1), Picture(number=2)), doc("a", "word")])
    write_partition(context, "flan-00000-00000", [chat("c", "äöü de", "f")])
    write_partition(context, "coyo-00000-00000", [pair("d", Picture(number=3), "a cat")])
    names = (P, "flan-00000-00000", "coyo-00000-00000")
    found = decide_all(context, *names)
    pools = {name: pool_of(context, found, name) for name in names}
    assert pools[P] == [
        {
            "doc_id": "b",
            "hash": int(hash_doc_ids(["b"])[0]),
            "source": "mmc4",
            "kind": "interleaved",
            "num_images": 2,
            "num_words": 3,
            "num_chars": 13,
            "num_bytes": 13 + len(jpeg(1)) + len(jpeg(2)),
        }
    ]
    ((chatted,), (paired,)) = pools["flan-00000-00000"], pools["coyo-00000-00000"]
    assert (chatted["kind"], chatted["num_images"], chatted["num_words"], chatted["num_bytes"]) == ("text", 0, 3, 10)
    assert (paired["kind"], paired["num_images"]) == ("pair", 1)


@pytest.mark.parametrize(
    ("picture", "stage", "reason", "detail"),
    [
        (Picture(number=1, url="http://h/logo.png"), "admit", "url.tokens", None),
        (
            Picture(number=1, status=FetchStatus.TIMEOUT, detail="after 5 s"),
            "fetch_images",
            "fetch.timeout",
            "after 5 s",
        ),
        (Picture(number=1, sides=(10, 10)), "keep", "image.size", None),
        (Picture(number=1, sims=(0.1,)), "keep", "image.clip", None),
        (Picture(number=9), "dedup", "dedup.exact", "of first:0"),
        (Picture(number=1, direction=9), "dedup", "dedup.cosine", "of first:0"),
    ],
)
def test_a_pair_falls_with_its_image_and_for_its_reason(
    tmp_path: Path, picture: Picture, stage: str, reason: str, detail: str | None
) -> None:
    context = make_context(tmp_path, RULES)
    partition = "coyo-00000-00000"
    write_partition(context, partition, [pair("first", Picture(number=9)), pair("second", picture)])
    found = decide_all(context, partition)
    assert [row["doc_id"] for row in pool_of(context, found, partition)] == ["first"]
    assert verdicts_of(context, found, partition) == {("second", 0): reason, ("second", -1): reason}
    rows = context.folder.read(found.decision.verdicts, partition).to_pylist()
    assert [(row["stage"], row["detail"]) for row in rows if row["position"] == -1] == [(stage, detail)]


def test_doc_images_is_asked_again_after_duplicates_are_gone(tmp_path: Path) -> None:
    docs = [doc("a", TEXT, Picture(number=1)), doc("b", TEXT, Picture(number=1)), doc("c", TEXT)]
    context, found = decided(tmp_path, docs)
    assert verdicts_of(context, found, P) == {("b", 1): "dedup.exact", ("b", -1): "doc.images", ("c", -1): "doc.images"}


def test_too_many_images_count_before_duplicates_are_gone(tmp_path: Path) -> None:
    context, found = decided(tmp_path, [doc("a", TEXT, *(Picture(number=1) for _ in range(4)))])
    assert verdicts_of(context, found, P) == {("a", -1): "doc.images"}


def test_a_rejected_document_shields_no_copy_of_its_images(tmp_path: Path) -> None:
    crowded = doc("crowded", TEXT, *(Picture(number=n) for n in (1, 2, 3, 4)))
    copied = doc("copied", TEXT, Picture(number=8))
    # Falls only once its copy of 8 is gone: its other image must be forgotten too.
    falls_late = doc("late", TEXT, Picture(number=8), Picture(number=5))
    recipe = RULES.replace("{min: 1, max: 3}", "{min: 1, max: 3, kinds: [interleaved]}")
    later = doc("later", TEXT, Picture(number=1), Picture(number=2, direction=2))
    context, found = decided(tmp_path, [crowded, copied, falls_late, later], recipe)
    assert verdicts_of(context, found, P) == {("crowded", -1): "doc.images", ("late", 1): "dedup.exact"}
    strict = make_context(tmp_path, RULES.replace("{min: 1, max: 3}", "{min: 2, max: 3}"))
    docs = [
        doc("copied", TEXT, Picture(number=8), Picture(number=9)),
        doc("late", TEXT, Picture(number=8), Picture(number=5)),
        doc("later", TEXT, Picture(number=5), Picture(number=6)),
    ]
    write_partition(strict, P, docs)
    found = decide_all(strict, P)
    assert verdicts_of(strict, found, P) == {("late", 1): "dedup.exact", ("late", -1): "doc.images"}


def test_without_dedup_copies_stay(tmp_path: Path) -> None:
    recipe = RULES.replace("dedup: {image: {exact: true, cosine: 0.99}}", "")
    context, found = decided(tmp_path, [doc("a", TEXT, Picture(number=1)), doc("b", TEXT, Picture(number=1))], recipe)
    assert verdicts_of(context, found, P) == {}


def test_without_clip_copies_are_told_by_their_bytes(tmp_path: Path) -> None:
    recipe = "dedup: {image: {exact: true}}\n"
    docs = [doc("a", TEXT, Picture(number=1)), doc("b", TEXT, Picture(number=2, direction=1), Picture(number=1))]
    context, found = decided(tmp_path, docs, recipe)
    assert verdicts_of(context, found, P) == {("b", 2): "dedup.exact"}
    assert matches_of(context, found, P) == {("a", 1): None, ("b", 1): None}


def test_the_order_of_partitions_chooses_the_survivor(tmp_path: Path) -> None:
    context = make_context(tmp_path, RULES)
    first, second = "mmc4-00000-00000", "mmc4-00001-00000"
    write_partition(context, first, [doc("a", TEXT, Picture(number=1))])
    write_partition(context, second, [doc("b", TEXT, Picture(number=1))])
    kept, swapped = (
        [name for name, pool in decide_all(context, *order).iterate_pool(context) if pool.num_rows]
        for order in ((first, second), (second, first))
    )
    assert (kept, swapped) == ([first], [second])


def test_partitioning_changes_nothing(tmp_path: Path) -> None:
    docs = [
        doc(f"{n:02d}", TEXT, *(Picture(number=(n * k) % 13, direction=(n * k) % 11) for k in (1, 3, 5)))
        for n in reversed(range(12))
    ]
    found = []
    for size in (1, 5, 12):
        context = make_context(tmp_path / str(size), RULES)
        names = [f"mmc4-00000-{start:05d}" for start in range(0, 12, size)]
        for number, name in enumerate(names):
            write_partition(context, name, docs[number * size : (number + 1) * size])
        of_all = decide_all(context, *names)
        found.append(
            (
                {key: reason for name in names for key, reason in verdicts_of(context, of_all, name).items()},
                [row["doc_id"] for name in names for row in pool_of(context, of_all, name)],
                {key: place for name in names for key, place in matches_of(context, of_all, name).items()},
                of_all.rejections,
            )
        )
    assert found[0] == found[1] == found[2]
    assert {"dedup.exact", "dedup.cosine"} <= set(found[0][0].values())


def test_kept_images_share_the_texts_among_them(tmp_path: Path) -> None:
    # Both like the first text best; the assignment is one to one. A rejected image takes part in nothing.
    rivals = (Picture(number=1, sims=(0.9, 0.4)), Picture(number=2, sims=(0.8, 0.7)))
    gone = Picture(number=3, sims=(0.99, 0.99), sides=(1, 1))
    context, found = decided(tmp_path, [doc("a", rivals[0], "one two", gone, rivals[1], "three four")])
    assert matches_of(context, found, P) == {("a", 0): 1, ("a", 3): 4}


def test_a_poisoned_document_is_set_aside(tmp_path: Path) -> None:
    context = make_context(tmp_path, RULES)
    write_partition(context, P, [doc("a", TEXT, Picture(number=1)), doc("b", TEXT, Picture(number=1))])
    set_aside(context, P, "a")
    found = decide_all(context, P)
    assert verdicts_of(context, found, P) == {("a", -1): "engine.poison"}
    assert [row["doc_id"] for row in pool_of(context, found, P)] == ["b"]


def test_a_poisoned_document_has_one_verdict_even_if_a_rule_rejects_it(tmp_path: Path) -> None:
    context = make_context(tmp_path, RULES)
    write_partition(context, P, [doc("a", TEXT, Picture(number=1), lang="de"), doc("b", TEXT, Picture(number=2))])
    set_aside(context, P, "a")
    found = decide_all(context, P)
    assert verdicts_of(context, found, P) == {("a", -1): "engine.poison"}


def test_images_that_were_never_fetched_stop_the_decision(tmp_path: Path) -> None:
    context = make_context(tmp_path, RULES)
    write_partition(context, P, [doc("a", TEXT, Picture(number=1))])
    fetched = context.folder.read(tables.IMAGES, P)
    write_partition(context, P, [doc("a", TEXT, Picture(number=1)), doc("b", TEXT, Picture(number=2))])
    write_table(context.folder.path(tables.IMAGES, P), fetched, schema=IMAGES, made_from="earlier")
    with pytest.raises(CurateError, match="1 admitted images were never fetched; run the recipe again"):
        decide_all(context, P)


def test_a_partition_without_a_document_is_decided(tmp_path: Path) -> None:
    context, found = decided(tmp_path, [])
    assert verdicts_of(context, found, P) == {}
    broken = make_context(tmp_path, RULES)
    write_partition(broken, P, [], faults=[("x", IngestReason.MISSING_FILE)])
    found = decide_all(broken, P)
    assert pool_of(broken, found, P) == []
    assert verdicts_of(broken, found, P) == {("x", -1): "ingest.missing_file"}
