import json
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.blend.amounts import measure_amounts
from curate.blend.config import BlendConfig, Unit
from curate.blend.plan import plan_blend
from curate.blend.pool import Pool
from curate.blend.weights import Weight
from curate.contract.errors import BlendError
from tests.curate.blend.conftest import MakePool, id_of, pool_of, pool_rows, with_numbers

UNITS: list[Unit] = ["samples", "images", "tokens"]


@st.composite
def pools(draw: st.DrawFn) -> Pool:
    rows: list[dict[str, Any]] = []
    for source, kind in (("web", "interleaved"), ("coyo", "pair"), ("laion", "pair"), ("flan", "text")):
        for number in range(draw(st.integers(1, 25))):
            num_images = {"interleaved": draw(st.integers(0, 30)) + (number == 0), "pair": 1, "text": 0}[kind]
            rows.append(
                {"doc_id": id_of(source, number), "source": source, "kind": kind}
                | {"num_images": num_images, "num_words": 1, "num_chars": draw(st.integers(1, 3000)), "num_bytes": 1}
            )
    return pool_of(with_numbers(rows))


@settings(deadline=None, max_examples=100)
@given(pools(), st.sampled_from(UNITS), st.tuples(*[st.floats(0.01, 1)] * 4), st.integers(0, 5), st.integers(1, 3))
def test_every_prefix_has_the_right_mix(
    pool: Pool, unit: Unit, numbers: tuple[float, ...], seed: int, max_repeats: int
) -> None:
    weights = dict(zip(["interleaved", "laion", "pair", "text"], numbers, strict=True))
    if unit == "images":
        del weights["text"]
    config = BlendConfig(unit=unit, weights=weights, seed=seed, max_repeats=max_repeats, tokens_per_image=50)
    plan = plan_blend(pool, config)
    rows = plan.rows
    sizes = measure_amounts(pool, config)[unit][rows].astype(np.int64)
    entry_of = {"web": "interleaved", "coyo": "pair", "laion": "laion", "flan": "text"}
    entries = np.array([entry_of[pool.group_names[group][0]] for group in pool.groups[rows].tolist()])
    emitted = np.cumsum(sizes)
    for name, weight in weights.items():
        due = emitted * weight / sum(weights.values())
        deviation = np.abs(np.cumsum(np.where(entries == name, sizes, 0)) - due).max()
        assert plan.summary["worst_deviation"][name] == pytest.approx(deviation, abs=1e-3)
        assert deviation < 1 if unit == "samples" else deviation <= sizes.max() + 1e-6
    assert np.bincount(rows).max() <= max_repeats


@pytest.mark.parametrize("unit", UNITS)
def test_the_order_does_not_depend_on_the_listing(unit: Unit) -> None:
    listed = pool_rows(("web", "interleaved", 40), ("coyo", "pair", 30))
    config = BlendConfig(unit=unit, weights={"web": 0.7, "pair": 0.3}, max_repeats=2, seed=5)
    shuffled = listed.take(np.random.default_rng(1).permutation(listed.num_rows))
    pool, other_listing = pool_of(listed), pool_of(shuffled.slice(0, 9), shuffled.slice(9))
    other_way = config.model_copy(update={"weights": {"pair": 0.3, "web": 0.7}})
    hashes = [
        some_pool.hashes[plan_blend(some_pool, some_config).rows].tolist()
        for some_pool, some_config in [(pool, config), (other_listing, config), (pool, other_way)]
    ]
    assert hashes[0] == hashes[1] == hashes[2]


def test_a_sample_takes_eight_bytes_and_the_summary_is_json(make_pool: MakePool) -> None:
    plan = plan_blend(make_pool(("web", "interleaved", 4), ("flan", "text", 2)), BlendConfig())
    assert plan.rows.itemsize + plan.repeats.itemsize == 8
    assert len(plan.rows) == len(plan.repeats) == 6
    assert json.loads(json.dumps(plan.summary)) == plan.summary


def test_without_weights_every_document_is_used_as_often_as_allowed(make_pool: MakePool) -> None:
    pool = make_pool(("web", "interleaved", 7), ("coyo", "pair", 31), ("flan", "text", 2))
    rows = plan_blend(pool, BlendConfig(max_repeats=3)).rows
    assert np.bincount(rows).tolist() == [3] * 40


def test_the_default_total_is_the_largest(make_pool: MakePool) -> None:
    pool = make_pool(("web", "interleaved", 10), ("coyo", "pair", 100))
    config = BlendConfig(weights={"web": 1, "coyo": 3}, max_repeats=2)
    plan = plan_blend(pool, config)
    assert plan.summary["total"] == {"wanted": None, "largest": 80, "binding": "web"}
    assert len(plan.rows) == 80


def test_a_total_beyond_supply_says_how_much_there_is_and_what_binds(make_pool: MakePool) -> None:
    pool = make_pool(("web", "interleaved", 10), ("coyo", "pair", 100))
    config = BlendConfig(weights={"web": 1, "coyo": 3}, max_repeats=2, total=81)
    with pytest.raises(BlendError, match=r"81 samples wanted.* at most 80: web runs out first"):
        plan_blend(pool, config)
    assert len(plan_blend(pool, config.model_copy(update={"total": 80})).rows) == 80


def test_a_total_in_tokens_is_reached_by_the_last_sample(make_pool: MakePool) -> None:
    pool = make_pool(("coyo", "pair", 20))  # 10 + 576 tokens each
    plan = plan_blend(pool, BlendConfig(unit="tokens", total=600))
    assert len(plan.rows) == 2
    assert plan.summary["tokens"] == 2 * 586


def test_a_weight_on_texts_under_unit_images_is_an_error(make_pool: MakePool) -> None:
    pool = make_pool(("coyo", "pair", 2), ("flan", "text", 2))
    with pytest.raises(BlendError, match=r"blend.weights.text: weight 1.0 but no images in its 2 documents"):
        plan_blend(pool, BlendConfig(unit="images", weights={"pair": 1.0, "text": 1.0}))
    assert len(plan_blend(pool, BlendConfig(unit="images", weights={"pair": 1.0, "text": 0.0})).rows) == 2


def test_documents_without_images_are_free_under_unit_images() -> None:
    pool = pool_of(pool_rows(("web", "interleaved", 9)), pool_rows(("bare", "interleaved", 90), num_images=0))
    plan = plan_blend(pool, BlendConfig(unit="images", weights={"interleaved": 1.0}))
    assert plan.summary["images"] == 9
    assert len(plan.rows) > 9


@pytest.mark.parametrize("unit", UNITS)
def test_an_empty_pool_is_an_error(unit: Unit) -> None:
    with pytest.raises(BlendError, match=f"0 documents has no {unit}"):
        plan_blend(pool_of(), BlendConfig(unit=unit))


def test_shares_are_exact_for_decimal_weights(make_pool: MakePool) -> None:
    pool = make_pool(("a", "pair", 7), ("b", "pair", 3))
    plan = plan_blend(pool, BlendConfig(weights={"a": 0.7, "b": 0.3}))
    assert plan.summary["total"]["largest"] == 10
    assert Fraction(7, 10) == Fraction(str(plan.summary["entries"]["a"]["got_share"]))


def test_weights_that_change_hold_for_every_prefix(make_pool: MakePool) -> None:
    pool = make_pool(("coyo", "pair", 400), ("flan", "text", 400))
    plan = plan_blend(pool, BlendConfig(weights={"pair": 1, "text": {"0%": 0, "50%": 0, "100%": 1}}, total=400))
    is_text = plan.rows >= 400
    assert not is_text[:200].any()
    assert is_text.sum() == 50  # a triangle: half the run long, half a share high
    assert is_text[200:300].sum() in {12, 13}
    assert plan.summary["entries"]["text"]["wanted_share"] == 0.125
    assert max(plan.summary["worst_deviation"].values()) <= 0.5


def test_with_changing_weights_the_binding_source_is_the_one_that_runs_out(make_pool: MakePool) -> None:
    pool = make_pool(("coyo", "pair", 1000), ("flan", "text", 25))
    config = BlendConfig(weights={"pair": 1, "text": {"0": 0, "100": 0, "101": 1}})
    assert plan_blend(pool, config).summary["total"] == {"wanted": None, "largest": 150, "binding": "text"}
    with pytest.raises(BlendError, match=r"at most 150: text runs out first"):
        plan_blend(pool, config.model_copy(update={"total": 152}))
    fades = BlendConfig(weights={"pair": 1, "text": {"0": 2, "100": 0}})  # 33 in all
    assert plan_blend(pool, fades).summary["total"]["binding"] == "text"
    gone = BlendConfig(weights={"pair": 1, "text": {"0": 0.1, "100": 0}})
    assert plan_blend(pool, gone).summary["total"]["binding"] == "pair"


def test_epochs_count_passes_over_what_has_a_weight(make_pool: MakePool) -> None:
    pool = make_pool(("coyo", "pair", 10), ("flan", "text", 30), ("other", "interleaved", 5))
    weights: dict[str, Weight] = {"pair": 0.5, "text": 0.5}
    plan = plan_blend(pool, BlendConfig(weights=weights, epochs=0.5))
    assert plan.summary["total"] == {"wanted": 20, "largest": 20, "binding": "pair"}
    twice = plan_blend(pool, BlendConfig(weights=weights, epochs=2, max_repeats=4))
    assert len(twice.rows) == 80
    assert twice.summary["entries"]["pair"]["most_repeats"] == 4
    with pytest.raises(BlendError, match=r"blend.epochs: 40 samples wanted.* at most 20: pair runs out first"):
        plan_blend(pool, BlendConfig(weights=weights, epochs=1))


def test_counted_tokens_decide_a_blend_by_tokens(make_pool: MakePool) -> None:
    pool = make_pool(("coyo", "text", 10), ("flan", "text", 10))
    counts = np.array([1] * 10 + [9] * 10)
    config = BlendConfig(unit="tokens", weights={"coyo": 1, "flan": 1}, tokenizer="some/folder")
    plan = plan_blend(pool, config, text_tokens=counts)
    assert plan.summary["entries"]["coyo"]["drawn"]["tokens"] == 10
    assert plan.summary["entries"]["flan"]["drawn"]["samples"] in {1, 2}
    assert plan.summary["tokens_by"] == "some/folder"
    assert plan_blend(pool, BlendConfig()).summary["tokens_by"] == "estimate, 4 characters each"
