from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.blend.curve import ShareCurve, constant_curve

SHARES = st.fractions(0, 1, max_denominator=20)


@st.composite
def curves(draw: st.DrawFn) -> ShareCurve:
    steps = draw(st.lists(st.integers(1, 50), max_size=5))
    knots = tuple(Fraction(int(knot)) for knot in np.cumsum([0, *steps]))
    return ShareCurve(knots=knots, shares=tuple(draw(SHARES) for _ in knots))


@settings(deadline=None, max_examples=200)
@given(curves(), st.lists(st.integers(0, 300), min_size=1, max_size=10))
def test_what_is_due_is_the_same_exactly_and_in_floats(curve: ShareCurve, amounts: list[int]) -> None:
    exact = [float(curve.due(amount)) for amount in amounts]
    assert curve.dues(np.array(amounts, dtype=np.float64)) == pytest.approx(exact)


@settings(deadline=None, max_examples=300)
@given(curves(), st.integers(0, 200_000).map(lambda thousandths: thousandths / 1000), st.booleans())
def test_what_is_due_is_reached_where_it_is_found(curve: ShareCurve, due: float, last: bool) -> None:  # noqa: FBT001
    (found,) = curve.find_when_due(np.array([due]), last=last)
    end = curve.knots[-1] + 10**6
    if np.isinf(found):
        assert float(curve.due(end)) <= due + 1e-9 or curve.shares[-1] == 0
    else:
        assert curve.dues(np.array([found]))[0] == pytest.approx(due, abs=1e-6)


def test_where_nothing_is_due_first_and_last_differ() -> None:
    half = Fraction(1, 2)
    curve = ShareCurve(knots=tuple(map(Fraction, (0, 10, 10 + 2, 20))), shares=(half, half, Fraction(0), Fraction(0)))
    curve = ShareCurve(knots=(*curve.knots, Fraction(30)), shares=(*curve.shares, half))
    at = np.array([5.5])  # all that is due until 20
    assert curve.find_when_due(at, last=False) == pytest.approx([12])
    assert curve.find_when_due(at, last=True) == pytest.approx([20])


def test_a_share_that_stays_is_divided_by() -> None:
    curve = constant_curve(Fraction(3, 10))
    amounts = np.arange(50, dtype=np.float64)
    assert curve.find_when_due(amounts, last=True).tolist() == (amounts / 0.3).tolist()
    assert curve.due(100) == 30


def test_a_share_of_zero_is_never_due() -> None:
    curve = constant_curve(Fraction(0))
    assert curve.find_when_due(np.array([0.0, 1.0]), last=False).tolist() == [0.0, np.inf]
    assert curve.find_when_due(np.array([0.0]), last=True).tolist() == [np.inf]
