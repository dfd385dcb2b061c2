from fractions import Fraction

import pytest

from curate.blend.entries import resolve_entries
from curate.contract.errors import BlendError
from tests.curate.blend.conftest import MakePool


def test_a_kind_stands_for_its_sources_that_are_not_named(make_pool: MakePool) -> None:
    pool = make_pool(("coyo", "pair", 3), ("laion", "pair", 2), ("flan", "text", 1))
    entries, left_out = resolve_entries(pool, {"pair": 1, "laion": 3})
    assert [(entry.name, entry.shares, len(entry.rows)) for entry in entries] == [
        ("laion", (Fraction(3, 4),), 2),
        ("pair", (Fraction(1, 4),), 3),
    ]
    assert pool["source"].take(left_out).to_pylist() == ["flan"]


def test_a_named_source_of_weight_zero_is_kept_out_of_its_kind(make_pool: MakePool) -> None:
    entries, left_out = resolve_entries(make_pool(("a", "pair", 1), ("b", "pair", 1)), {"pair": 1, "b": 0})
    assert [(entry.name, len(entry.rows)) for entry in entries] == [("b", 1), ("pair", 1)]
    assert len(left_out) == 0


def test_a_name_that_is_a_kind_always_means_the_kind(make_pool: MakePool) -> None:
    entries, _ = resolve_entries(make_pool(("pair", "pair", 1), ("coyo", "pair", 1)), {"pair": 1})
    assert len(entries[0].rows) == 2


def test_rows_come_sorted_by_document_however_they_are_listed(make_pool: MakePool) -> None:
    pool = make_pool(("a", "pair", 4))
    entries, _ = resolve_entries(pool.take([2, 0, 3, 1]), {"a": 1})
    assert entries[0].rows.tolist() == [1, 3, 0, 2]


@pytest.mark.parametrize(("name", "hint"), [("flam", "did you mean flan"), ("zzz", "neither a source nor a kind")])
def test_a_name_that_nothing_has_is_an_error_with_a_hint(make_pool: MakePool, name: str, hint: str) -> None:
    with pytest.raises(BlendError, match=f"blend.weights.{name}: .*") as error:
        resolve_entries(make_pool(("flan", "text", 1)), {name: 1})
    assert hint in str(error.value)


def test_a_kind_without_samples_is_an_error(make_pool: MakePool) -> None:
    with pytest.raises(BlendError, match="kind without samples"):
        resolve_entries(make_pool(("flan", "text", 1)), {"flan": 1, "text": 1})


def test_a_document_listed_twice_is_an_error(make_pool: MakePool) -> None:
    with pytest.raises(BlendError, match="document a-000000 twice"):
        resolve_entries(make_pool(("a", "pair", 1)).take([0, 0]), {"a": 1})


def test_no_weight_above_zero_is_an_error(make_pool: MakePool) -> None:
    with pytest.raises(BlendError, match="above zero"):
        resolve_entries(make_pool(("a", "pair", 1)), {"a": 0})


def test_places_by_share_scale_with_the_run_and_amounts_do_not(make_pool: MakePool) -> None:
    pool = make_pool(("a", "pair", 1), ("b", "pair", 1))
    by_share, _ = resolve_entries(pool, {"a": 1, "b": {"0%": 0, "50%": 1}})
    by_amount, _ = resolve_entries(pool, {"a": 1, "b": {"0": 0, "50": 1}})
    assert by_share[1].curve(1000).knots == (Fraction(0), Fraction(500))
    assert by_amount[1].curve(1000).knots == (Fraction(0), Fraction(50))
    assert by_share[1].curve(1000).shares == (Fraction(0), Fraction(1, 2))
