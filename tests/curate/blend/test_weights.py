from fractions import Fraction

import pytest

from curate.blend.weights import Weight, check_weights, exact_fraction, parse_amount, resolve_course


def test_weights_are_taken_as_written() -> None:
    assert exact_fraction(0.1) == Fraction(1, 10)
    assert exact_fraction(1e-7) == Fraction(1, 10**7)


def test_numbers_become_shares_at_the_start() -> None:
    course = resolve_course({"a": 0.7, "b": 0.1})
    assert course.places == (Fraction(0),)
    assert course.shares == {"a": (Fraction(7, 8),), "b": (Fraction(1, 8),)}


def test_every_place_that_any_weight_names_has_shares_of_all() -> None:
    course = resolve_course({"a": 1, "b": {"0%": 0, "100%": 1}, "c": {"50%": 1, "100%": 3}})
    assert course.is_relative
    assert course.places == (Fraction(0), Fraction(1, 2), Fraction(1))
    assert course.shares["b"] == (Fraction(0), Fraction(1, 5), Fraction(1, 5))
    assert course.shares["c"] == (Fraction(1, 2), Fraction(2, 5), Fraction(3, 5))
    assert all(sum(column) == 1 for column in zip(*course.shares.values(), strict=True))


def test_places_may_be_amounts() -> None:
    course = resolve_course({"a": 1, "b": {"0": 0, "1.5K": 1}})
    assert not course.is_relative
    assert course.places == (Fraction(0), Fraction(1500))


@pytest.mark.parametrize(
    ("weight", "fault"),
    [
        ({}, "needs at least one place"),
        ({"0%": -1}, "a: -1 must be zero or a positive number"),
        ({"0%": float("nan")}, "a: nan must be"),
        ({"101%": 1}, "beyond the end"),
        ({"soon": 1}, "'soon' is no place"),
        ({"-5%": 1}, "is no place"),
        ({"10%": 1, "10M": 1}, "all be shares of the run"),
        ({"5%": 1, "5.0%": 1}, "a: a place is given twice"),
        ({"0%": 1, "50%": 0}, r"above zero \(at 0.5 there is none\)"),
    ],
)
def test_a_course_that_makes_no_sense_is_refused(weight: Weight, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        check_weights({"a": weight})


@pytest.mark.parametrize("text", ["", "x", "1.2", "-1"])
def test_other_texts_are_no_amounts(text: str) -> None:
    with pytest.raises(ValueError, match="whole number"):
        parse_amount(text)
