"""Geometry of the page's charts: numbers in, SVG coordinates out. The template only draws them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from curate.report.data import Histogram, LossCurve

WIDTH = 360
HEIGHT = 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 42, 8, 26, 40
_PLOT_WIDTH = WIDTH - _LEFT - _RIGHT
_PLOT_HEIGHT = HEIGHT - _TOP - _BOTTOM
_BASE = HEIGHT - _BOTTOM
_MAX_X_LABELS = 7
_BAR_GAP = 1.5
_AXIS_SLACK = 0.05  # of the span: how far an axis is stretched to begin at a round number


@dataclass(frozen=True, kw_only=True, slots=True)
class Tick:
    """A labelled place on an axis."""

    at: float
    label: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StackedBar:
    """A kept part at the bottom and a rejected part on it."""

    x: float
    width: float
    kept_y: float
    kept_height: float
    rejected_y: float
    rejected_height: float
    tip: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    """One SVG: axes with either bars or a line."""

    y_ticks: tuple[Tick, ...]
    x_ticks: tuple[Tick, ...]
    bars: tuple[StackedBar, ...] = ()
    line: str = ""
    """``points`` of a polyline."""
    marker_x: float | None = None
    """Where the threshold stands."""
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    top: int = _TOP
    base: int = _BASE


def draw_histogram(histogram: Histogram) -> Chart:
    """Return the chart of a histogram with at least one bin."""
    num = len(histogram.bins)
    ticks = nice_ticks(0, max(b.kept + b.rejected for b in histogram.bins), whole=True)
    step = _PLOT_WIDTH / num
    bars = []
    for i, one in enumerate(histogram.bins):
        kept, both = (_PLOT_HEIGHT * count / ticks[-1] for count in (one.kept, one.kept + one.rejected))
        gap = min(_BAR_GAP, step / 4)
        bars.append(
            StackedBar(
                x=_round(_LEFT + i * step + gap / 2),
                width=_round(step - gap),
                kept_y=_round(_BASE - kept),
                kept_height=_round(kept),
                rejected_y=_round(_BASE - both),
                rejected_height=_round(both - kept),
                tip=f"from {one.label}: {one.kept:,} kept, {one.rejected:,} rejected",
            )
        )
    stride = math.ceil(num / _MAX_X_LABELS)
    return Chart(
        y_ticks=tuple(Tick(at=_round(_BASE - _PLOT_HEIGHT * t / ticks[-1]), label=short_number(t)) for t in ticks),
        # A bin is labelled where it begins.
        x_ticks=tuple(Tick(at=_round(_LEFT + i * step), label=histogram.bins[i].label) for i in range(0, num, stride)),
        bars=tuple(bars),
        marker_x=None if histogram.threshold is None else _round(_LEFT + histogram.threshold * step),
    )


def draw_curve(curve: LossCurve) -> Chart:
    """Return the chart of a loss curve with at least one point."""
    steps, losses = [p[0] for p in curve.points], [p[1] for p in curve.points]
    ys = nice_ticks(min(losses), max(losses))
    xs = nice_ticks(min(steps), max(steps), whole=True)
    first, last = min(steps), max(steps)
    if first - xs[0] < _AXIS_SLACK * (last - first):
        first = xs[0]
    span = (last - first) or 1.0

    def x_of(step: float) -> float:
        return _round(_LEFT + _PLOT_WIDTH * (step - first) / span)

    def y_of(loss: float) -> float:
        return _round(_BASE - _PLOT_HEIGHT * (loss - ys[0]) / (ys[-1] - ys[0]))

    return Chart(
        y_ticks=tuple(Tick(at=y_of(t), label=f"{t:g}") for t in ys),
        x_ticks=tuple(Tick(at=x_of(t), label=short_number(t)) for t in xs if first <= t <= last),
        line=" ".join(f"{x_of(step)},{y_of(loss)}" for step, loss in curve.points),
    )


def nice_ticks(low: float, high: float, *, num: int = 4, whole: bool = False) -> Sequence[float]:
    """Return about ``num`` round numbers, 1, 2 or 5 times a power of ten apart, that enclose ``low`` and ``high``."""
    span = (high - low) or abs(high) or 1.0
    power = 10.0 ** math.floor(math.log10(span / num))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= span / num)
    if whole:
        step = max(1.0, step)
    first, last = math.floor(low / step), max(math.ceil(high / step), math.floor(low / step) + 1)
    return [round(step * i, 10) for i in range(first, last + 1)]


def short_number(value: float) -> str:
    """Return a number in at most about five characters: 950, 1.2k, 35M."""
    for size, suffix in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.1f}".removesuffix(".0") + suffix
    return f"{value:g}"


def _round(value: float) -> float:
    return round(value, 1)
