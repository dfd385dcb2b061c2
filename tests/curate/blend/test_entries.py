from fractions import Fraction

import pytest

from curate.blend.chunks import CHUNK
from curate.blend.entries import resolve_entries, rows_by_entry
from curate.contract.errors import BlendError
from tests.curate.blend.conftest import MakePool, pool_of, pool_rows


def test_a_kind_stands_for_its_sources_that_are_not_named() -> None:
    groups = [("coyo", "pair"), ("flan", "text"), ("laion", "pair"), ("sbu", "pair")]
    entries = resolve_entries(groups, {"pair": 1, "laion": 3})
    assert [(entry.name, entry.shares, entry.groups) for entry in entries] == [
        ("laion", (Fraction(3, 4),), (2,)),
        ("pair", (Fraction(1, 4),), (0, 3)),
    ]


def test_a_named_source_of_weight_zero_is_kept_out_of_its_kind() -> None:
    entries = resolve_entries([("a", "pair"), ("b", "pair")], {"pair": 1, "b": 0})
    assert [(entry.name, entry.groups) for entry in entries] == [("b", (1,)), ("pair", (0,))]


def test_a_name_that_is_a_kind_always_means_the_kind() -> None:
    assert resolve_entries([("pair", "pair"), ("coyo", "pair")], {"pair": 1})[0].groups == (0, 1)


def test_rows_come_sorted_by_hash_however_they_are_listed() -> None:
    listed = pool_rows(("a", "pair", 4), ("left", "text", 2))
    wanted = sorted(listed["hash"].to_pylist()[:4])
    for order in ([4, 2, 0, 3, 5, 1], [0, 1, 2, 3, 4, 5]):
        pool = pool_of(listed.take(order))
        (rows,) = rows_by_entry(pool, resolve_entries(pool.group_names, {"a": 1}))
        assert pool.hashes[rows].tolist() == wanted


def test_each_entry_has_its_rows(make_pool: MakePool) -> None:
    pool = make_pool(("coyo", "pair", 3), ("left", "text", 1), ("laion", "pair", 2))
    entries = resolve_entries(pool.group_names, {"pair": 1, "coyo": 1})
    assert [sorted(rows.tolist()) for rows in rows_by_entry(pool, entries)] == [[0, 1, 2], [4, 5]]


@pytest.mark.parametrize(("name", "hint"), [("flam", "did you mean flan"), ("zzz", "neither a source nor a kind")])
def test_a_name_that_nothing_has_is_an_error_with_a_hint(name: str, hint: str) -> None:
    with pytest.raises(BlendError, match=f"blend.weights.{name}: .*") as error:
        resolve_entries([("flan", "text")], {name: 1})
    assert hint in str(error.value)


def test_a_kind_without_samples_is_an_error() -> None:
    with pytest.raises(BlendError, match="kind without samples"):
        resolve_entries([("flan", "text")], {"flan": 1, "text": 1})


@pytest.mark.parametrize("apart", [0, 1, CHUNK - 1])
def test_a_document_listed_twice_is_an_error(apart: int) -> None:
    """Wherever it stands: sorted, its places may be on both sides of a chunk's border."""
    rows = pool_rows(("a", "pair", CHUNK + 2)) if apart > 1 else pool_rows(("a", "pair", 2))
    pool = pool_of(rows, rows.slice(apart, 1))
    with pytest.raises(BlendError, match="a document twice, in part-00000 and in part-00001"):
        rows_by_entry(pool, resolve_entries(pool.group_names, {"a": 1}))


def test_no_weight_above_zero_is_an_error() -> None:
    with pytest.raises(BlendError, match="above zero"):
        resolve_entries([("a", "pair")], {"a": 0})


def test_places_by_share_scale_with_the_run_and_amounts_do_not() -> None:
    groups = [("a", "pair"), ("b", "pair")]
    by_share = resolve_entries(groups, {"a": 1, "b": {"0%": 0, "50%": 1}})
    by_amount = resolve_entries(groups, {"a": 1, "b": {"0": 0, "50": 1}})
    assert by_share[1].curve(1000).knots == (Fraction(0), Fraction(500))
    assert by_amount[1].curve(1000).knots == (Fraction(0), Fraction(50))
    assert by_share[1].curve(1000).shares == (Fraction(0), Fraction(1, 2))
