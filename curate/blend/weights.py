"""Weights as a recipe writes them: numbers, or numbers that change along the run.

A weight that changes is a mapping of places to numbers, ``{0%: 0.1, 100%: 0.4}`` by the share of the run that has been
written or ``{0: 0.1, 10M: 0.4}`` by the amount, in the unit of the blend. Before its first place a weight has its first
value, after the last one its last. At every place that any weight names, all weights are scaled to shares that add up
to one; between two such places each share runs along a straight line.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

Weight = float | dict[str, float]
"""A number, or numbers by place."""

_SUFFIXES = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}
_WHOLE_RUN = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Course:
    """The shares of a blend along the run."""

    places: tuple[Fraction, ...]
    """Rising, from 0: shares of the run (0..1) or amounts in the blend's unit."""
    is_relative: bool
    """Places are shares of the run."""
    shares: dict[str, tuple[Fraction, ...]]
    """By name the share at each place; at every place they add up to exactly 1."""


def parse_amount(text: str) -> int:
    """Return the number that ``1B``, ``2.5M`` or ``10_000`` stands for.

    Raises:
        ValueError: Another form, or no whole number.
    """
    match = re.fullmatch(r"(\d[\d_]*)(?:\.(\d+))?\s*([kKmMbBtT]?)", text.strip())
    if match is None:
        raise ValueError("must be a whole number, one with K, M, B or T behind it (such as 1B), or max")
    whole, decimals, suffix = match[1].replace("_", ""), match[2] or "", match[3].upper()
    amount = Fraction(int(whole + decimals) * _SUFFIXES[suffix], int("1" + "0" * len(decimals)))
    if amount.denominator > 1:
        raise ValueError(f"{text} is not a whole number of units")
    return int(amount)


def check_weights(weights: Mapping[str, Weight]) -> None:
    """Check what no pool is needed for.

    Raises:
        ValueError: A weight that is negative or not finite, a place that cannot be read, places of two sorts, or a
            place where no weight is above zero.
    """
    for name, weight in weights.items():
        if isinstance(weight, dict) and not weight:
            raise ValueError(f"{name}: a weight that changes needs at least one place, such as 0%: {{0%: 0.1}}")
        for value in weight.values() if isinstance(weight, dict) else [weight]:
            if not math.isfinite(value) or value < 0:
                raise ValueError(f"{name}: {value} must be zero or a positive number")
    if weights:
        resolve_course(weights)


def resolve_course(weights: Mapping[str, Weight]) -> Course:
    """Return the shares that weights amount to.

    Raises:
        ValueError: See ``check_weights``.
    """
    points = {name: _parse_points(name, weight) for name, weight in weights.items()}
    sorts = {is_share for own in points.values() for place, is_share in own if place}
    if len(sorts) > 1:
        raise ValueError("places must all be shares of the run (50%) or all be amounts (10M)")
    places = sorted({Fraction(0), *(place for own in points.values() for place, _ in own)})
    values = {
        name: [_value_at(place, {at: value for (at, _), value in own.items()}) for place in places]
        for name, own in points.items()
    }
    totals = [sum(column, Fraction(0)) for column in zip(*values.values(), strict=True)]
    if not all(totals):
        where = "" if len(places) == 1 else f" (at {float(places[totals.index(0)]):g} there is none)"
        raise ValueError(f"at least one weight must be above zero{where}")
    shares = {
        name: tuple(value / total for value, total in zip(own, totals, strict=True)) for name, own in values.items()
    }
    return Course(places=tuple(places), is_relative=sorts == {True}, shares=shares)


def exact_fraction(value: float) -> Fraction:
    """Return the decimal number that was written, not its nearest binary float: 0.1 is a tenth."""
    return Fraction(str(value))


def _parse_points(name: str, weight: Weight) -> dict[tuple[Fraction, bool], Fraction]:
    if not isinstance(weight, dict):
        return {(Fraction(0), False): exact_fraction(weight)}
    points = {_parse_place(name, text): exact_fraction(value) for text, value in weight.items()}
    if len({place for place, _ in points}) < len(weight):
        raise ValueError(f"{name}: a place is given twice")
    return points


def _parse_place(name: str, text: str) -> tuple[Fraction, bool]:
    """Return a place and whether it is a share of the run."""
    percent = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", text.strip())
    if percent is None:
        try:
            return Fraction(parse_amount(text)), False
        except ValueError as error:
            raise ValueError(f"{name}: {text!r} is no place; write a share (50%) or an amount (10M)") from error
    if Fraction(percent[1]) > _WHOLE_RUN:
        raise ValueError(f"{name}: {text} is beyond the end of the run")
    return Fraction(percent[1]) / _WHOLE_RUN, True


def _value_at(place: Fraction, points: Mapping[Fraction, Fraction]) -> Fraction:
    before = max((at for at in points if at <= place), default=None)
    after = min((at for at in points if at >= place), default=None)
    if before is None or after is None or before == after:
        return points[next(at for at in (before, after) if at is not None)]
    part = (place - before) / (after - before)
    return points[before] + part * (points[after] - points[before])
