"""Random small corpora are decided as they are restated plainly, however the work is cut."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from curate.contract.reasons import FetchStatus, IngestReason, Stage
from pipelines.decide.decided import Decided, load_or_decide
from pipelines.decide.url_counts import count_urls, counts_urls
from pipelines.recipes.load import parse_recipe
from pipelines.run.context import RunContext, store_poison
from pipelines.run.tables import CLIP_MEASURES, PAGE_VERDICTS
from tests.pipelines.corpus import (
    NUM_DIRECTIONS,
    SOURCES,
    Doc,
    Picture,
    chat,
    make_context,
    matches_of,
    measured,
    pictures,
    write,
    write_partition,
)
from tests.pipelines.cut_small import cut_small
from tests.pipelines.decide.restated import Corpus, Fate, Restated, Settings, Vector, restate
from tests.pipelines.in_process import InProcess

NUM_PICTURES = 26
BROKEN: Fate = ("ingest", "ingest.malformed_record", "a.jsonl: bad")
GONE: Fate = ("fetch_pages", "fetch.http_404", "not there")
POISON: Fate = (str(Stage.MEASURE_CLIP), "engine.poison", None)

PLAIN = Settings(min_words=3, deny="logo", min_side=100, min_sim=0.25, num_images=(1, 3))
SETTINGS = [
    Settings(),
    PLAIN,
    replace(PLAIN, exact=True),
    replace(PLAIN, exact=True, cosine=0.9, max_url_count=4),
    replace(PLAIN, cosine=0.8, num_images=(2, 4)),
    replace(PLAIN, exact=True, cosine=0.97, num_images=(0, 2), doc_kinds=("interleaved", "pair")),
    Settings(exact=True, cosine=0.7, num_images=(2, 9)),
    Settings(exact=True, max_url_count=2, num_images=(1, 2), doc_kinds=("pair",)),
]


def draw_embeddings(rng: np.random.Generator) -> dict[int, Vector]:
    """Return a vector for each picture, as it is stored; around a few centres, so that many are nearly alike."""
    centres = rng.normal(size=(5, NUM_DIRECTIONS))
    spread = rng.choice([0.05, 0.2, 0.4], size=(NUM_PICTURES, 1))
    drawn = centres[rng.integers(5, size=NUM_PICTURES)] + spread * rng.normal(size=(NUM_PICTURES, NUM_DIRECTIONS))
    stored = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float16).astype(np.float64)
    return dict(enumerate(stored))


def draw_picture(rng: np.random.Generator, num_texts: int) -> Picture:
    number = int(rng.integers(NUM_PICTURES))
    status = FetchStatus.OK if rng.random() < 0.93 else FetchStatus.HTTP_404
    return Picture(
        number=number,
        url=f"http://h/{'logo-' if rng.random() < 0.06 else ''}{rng.zipf(1.7) % 60}.jpg",
        status=status,
        detail=None if status is FetchStatus.OK else f"no {number}",
        sides=(90, 400) if rng.random() < 0.07 else (400, 300),
        sims=tuple(rng.choice([0.125, 0.5, 0.75], p=[0.1, 0.5, 0.4], size=num_texts).tolist()),
    )


def draw_doc(rng: np.random.Generator, doc_id: str) -> Doc:
    kind = rng.choice(["interleaved", "pair", "text"], p=[0.6, 0.33, 0.07])
    if kind == "text":
        return chat(doc_id)
    if kind == "pair":
        items: list[Any] = ["a", *(draw_picture(rng, 1) for _ in range(1 + (rng.random() < 0.15)))]
        return Doc(doc_id=doc_id, items=tuple(rng.permutation(np.array(items, dtype=object))), source="coyo", kind=kind)
    num_texts = int(rng.integers(0, 4))
    items = [*(["two words", "word"][int(rng.random() < 0.3)] for _ in range(num_texts))]
    items += [draw_picture(rng, num_texts) for _ in range(int(rng.integers(0, 5)))]
    return Doc(doc_id=doc_id, items=tuple(items[place] for place in rng.permutation(len(items))))


def draw_corpus(rng: np.random.Generator, num_docs: int) -> tuple[Corpus, list[list[Doc]]]:
    """Return a corpus, and its documents by partition; some partitions are empty."""
    ids = [f"{number:04x}" for number in rng.permutation(num_docs)]
    docs = [draw_doc(rng, doc_id) for doc_id in ids]
    drawn = rng.permutation(ids).tolist()
    gone, poisoned = drawn[:2], drawn[2:4]
    faults = dict.fromkeys(gone, GONE) | dict.fromkeys(poisoned, POISON)
    edges = sorted(rng.integers(0, num_docs + 1, size=8).tolist())
    cut = [docs[start:stop] for start, stop in zip([0, *edges], [*edges, num_docs], strict=True)]
    uncounted = frozenset(poisoned)
    return Corpus(docs=docs, embeddings=draw_embeddings(rng), faults=faults, uncounted=uncounted), cut


def write_corpus(context: RunContext, corpus: Corpus, cut: list[list[Doc]]) -> list[str]:
    names = [f"mmc4-{number:05d}-00000" for number in range(len(cut))]
    for name, docs in zip(names, cut, strict=True):
        write_partition(context, name, docs, faults=[(f"broken-{name}", IngestReason.MALFORMED_RECORD)])
        number_of = {(one.doc_id, place): picture.number for one in docs for place, picture in pictures(one)}
        rows = context.folder.read(CLIP_MEASURES, name).to_pylist()
        for row in rows:
            row["embedding"] = corpus.embeddings[number_of[row["doc_id"], row["position"]]].tolist()
        write(context, CLIP_MEASURES, name, rows)
        own = {one.doc_id: corpus.faults[one.doc_id] for one in docs if one.doc_id in corpus.faults}
        columns = ("doc_id", "stage", "reason", "detail")
        pages = [
            {"position": -1, **dict(zip(columns, (doc_id, *fate), strict=True))}
            for doc_id, fate in own.items()
            if fate is GONE
        ]
        write(context, PAGE_VERDICTS, name, pages)
        store_poison(context, name, {doc_id: fate[0] for doc_id, fate in own.items() if fate is POISON})
    return names


def run(context: RunContext, names: list[str]) -> Decided:
    workers = InProcess()
    asks = counts_urls(context.recipe, context.recipe.sources[0])
    url_counts = count_urls(workers, context, names) if asks else ""
    return load_or_decide(workers, context, measured(context, *names), url_counts=url_counts)


def check(context: RunContext, decided: Decided, names: list[str], wanted: Restated) -> None:
    found: dict[tuple[str, int], Fate] = {}
    kept: list[tuple[str, int]] = []
    pool: dict[str, int] = {}
    for name in names:
        for row in context.folder.read(decided.decision.verdicts, name).to_pylist():
            key = (row["doc_id"], row["position"])
            assert key not in found, f"two verdicts for {key}"
            found[key] = (row["stage"], row["reason"], row["detail"])
        kept += list(matches_of(context, decided, name))
        pool |= {
            row["doc_id"]: row["num_images"] for row in context.folder.read(decided.decision.pool, name).to_pylist()
        }
    broken = {(f"broken-{name}", -1): BROKEN for name in names}
    assert found == wanted.fates | broken
    assert list(pool.items()) == list(wanted.pool.items())
    assert kept == wanted.kept
    assert decided.rejections.total() == len(found)


def number_of_settings(settings: Settings) -> str:
    return f"settings{SETTINGS.index(settings)}"


@pytest.mark.parametrize("settings", SETTINGS, ids=number_of_settings)
@pytest.mark.parametrize("seed", range(3))
def test_a_corpus_is_decided_as_it_is_restated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, settings: Settings
) -> None:
    rng = np.random.default_rng([seed, SETTINGS.index(settings)])
    cut_small(
        monkeypatch,
        fold_partitions=int(rng.integers(1, 5)),
        folds_per_bucket=int(rng.integers(1, 4)),
        block_num_images=int(rng.integers(5, 15)),
        group_partitions=int(rng.integers(1, 5)),
    )
    corpus, cut = draw_corpus(rng, 45)
    context = make_context(tmp_path, settings.recipe())
    names = write_corpus(context, corpus, cut)
    check(context, run(context, names), names, restate(corpus, settings))


@pytest.mark.parametrize("seed", range(2))
def test_one_folder_is_decided_under_every_recipe_one_after_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """What an earlier decision left behind does not show in a later one, nor does a later one in an earlier."""
    rng = np.random.default_rng(seed)
    cut_small(monkeypatch, block_num_images=7)
    corpus, cut = draw_corpus(rng, 40)
    context = make_context(tmp_path)
    names = write_corpus(context, corpus, cut)
    for place in [*rng.permutation(len(SETTINGS)).tolist(), *range(len(SETTINGS))]:
        settings = SETTINGS[place]
        under = replace(context, recipe=parse_recipe(SOURCES + settings.recipe()))
        check(under, run(under, names), names, restate(corpus, settings))


def test_what_is_drawn_meets_every_reason() -> None:
    """Otherwise the other tests would say less than they seem to."""
    corpora = [draw_corpus(np.random.default_rng(seed), 45)[0] for seed in range(3)]
    found = [restate(corpus, settings) for corpus in corpora for settings in SETTINGS]
    reasons = {(fate[1], place < 0) for one in found for (_, place), fate in one.fates.items()}
    on_images = {
        "url.tokens", "url.frequency", "fetch.http_404", "image.size", "image.clip", "dedup.exact", "dedup.cosine",
    }  # fmt: skip
    on_documents = {"text.words", "doc.images", "engine.poison", "dedup.exact", "dedup.cosine", "image.size"}
    assert {(reason, False) for reason in on_images} | {(reason, True) for reason in on_documents} <= reasons
