"""How much of a blend is due to one entry at any point of the run, and when an amount becomes due.

A share p(v) runs along straight lines between knots; v counts what has been written, in the unit of the blend. Due at
V is D(V), the integral of p from 0 to V: straight or a parabola between knots, never falling. Shares of all entries add
up to one everywhere, so their dues add up to V.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class ShareCurve:
    """One entry's share along the run."""

    knots: tuple[Fraction, ...]
    """Amounts, rising from 0, in the unit of the blend."""
    shares: tuple[Fraction, ...]
    """At each knot, 0..1; after the last knot the last one holds."""

    def due(self, amount: int | Fraction) -> Fraction:
        """Return what is due when ``amount`` has been written, exactly."""
        place = max(number for number, knot in enumerate(self.knots) if knot <= amount)
        way = amount - self.knots[place]
        return self._dues()[place] + way * (self.shares[place] + self._slopes()[place] * way / 2)

    def dues(self, amounts: Floats) -> Floats:
        """Return what is due at each of ``amounts``, [N]."""
        knots = _floats(self.knots)
        place = np.searchsorted(knots, amounts, side="right") - 1
        way = amounts - knots[place]
        shares, slopes = _floats(self.shares), _floats(self._slopes())
        found: Floats = _floats(self._dues())[place] + way * (shares[place] + slopes[place] * way / 2)
        return found

    def find_when_due(self, dues: Floats, *, last: bool) -> Floats:
        """Return where D reaches each of ``dues``, [N]; infinite where it never does.

        Args:
            dues: Zero or more, [N].
            last: Where the share is zero D stands still: take the last point instead of the first.
        """
        known = _floats(self._dues())
        place = (np.searchsorted(known, dues, side="right" if last else "left") - 1).clip(0)
        rest = dues - known[place]
        share, slope = _floats(self.shares)[place], _floats(self._slopes())[place]
        # The root of slope/2 x^2 + share x = rest in the form that loses no digits; on straight pieces rest / share.
        root = np.sqrt((share * share + 2 * slope * rest).clip(0))
        steepness = np.where(slope == 0, share, (share + root) / 2)
        stands_still = steepness == 0
        way = np.divide(rest, steepness, out=np.zeros_like(rest), where=~stands_still)
        never = stands_still & ((rest > 0) | (last & (slope == 0)))
        found: Floats = np.where(never, np.inf, _floats(self.knots)[place] + way)
        return found

    def _slopes(self) -> list[Fraction]:
        """Return the slope of the share after each knot."""
        points = zip(pairwise(self.knots), pairwise(self.shares), strict=True)
        return [*((high - low) / (end - start) for (start, end), (low, high) in points), Fraction(0)]

    def _dues(self) -> list[Fraction]:
        """Return D at each knot."""
        points = zip(pairwise(self.knots), pairwise(self.shares), strict=True)
        areas = ((end - start) * (low + high) / 2 for (start, end), (low, high) in points)
        return list(accumulate(areas, initial=Fraction(0)))


def constant_curve(share: Fraction) -> ShareCurve:
    """Return the curve of a share that does not change."""
    return ShareCurve(knots=(Fraction(0),), shares=(share,))


def _floats(values: Sequence[Fraction]) -> Floats:
    return np.array([float(value) for value in values])
