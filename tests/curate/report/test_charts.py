import pytest

from curate.report.charts import draw_curve, draw_histogram, nice_ticks, short_number
from curate.report.data import Bin, Histogram, LossCurve


def test_bars_stack_up_to_the_tick_above_the_highest() -> None:
    bins = (Bin(label="0", kept=3, rejected=1), Bin(label="1", kept=0, rejected=0))
    chart = draw_histogram(Histogram(title="t", unit="u", bins=bins, threshold=1.0))
    first, second = chart.bars
    assert first.kept_y + first.kept_height == pytest.approx(chart.base)
    assert first.rejected_y + first.rejected_height == pytest.approx(first.kept_y)
    assert first.rejected_y == pytest.approx(chart.top)  # 4 of 4
    assert (second.kept_height, second.rejected_height) == (0, 0)
    assert chart.marker_x == pytest.approx(chart.x_ticks[1].at)
    assert first.tip == "from 0: 3 kept, 1 rejected"


def test_many_bins_get_few_labels() -> None:
    bins = tuple(Bin(label=str(i), kept=i, rejected=0) for i in range(40))
    chart = draw_histogram(Histogram(title="t", unit="u", bins=bins))
    assert len(chart.x_ticks) <= 7
    assert all(bar.width > 0 for bar in chart.bars)


def test_bins_without_counts_can_be_drawn() -> None:
    assert draw_histogram(Histogram(title="t", unit="u", bins=(Bin(label="0", kept=0, rejected=0),))).y_ticks


@pytest.mark.parametrize("points", [((0.0, 2.0),), ((0.0, 2.0), (9.0, 2.0)), ((5.0, -1.0), (6.0, 1e-9)), ((0.0, 0.0),)])
def test_a_curve_stays_inside_its_frame(points: tuple[tuple[float, float], ...]) -> None:
    chart = draw_curve(LossCurve(stage="s", points=points))
    for pair in chart.line.split(" "):
        x, y = (float(number) for number in pair.split(","))
        assert chart.left <= x <= chart.right
        assert chart.top <= y <= chart.base


def test_a_falling_loss_falls_on_the_page() -> None:
    chart = draw_curve(LossCurve(stage="s", points=((0, 4.0), (10, 1.0))))
    (_, high), (_, low) = (pair.split(",") for pair in chart.line.split(" "))
    assert float(high) < float(low)  # y grows downwards


@pytest.mark.parametrize(("low", "high"), [(0, 7), (0, 1), (1.3, 1.9), (-2, 5), (3, 3), (0, 0), (0, 123456)])
def test_ticks_enclose_the_range(low: float, high: float) -> None:
    ticks = nice_ticks(low, high)
    assert ticks[0] <= low <= high <= ticks[-1]
    assert 2 <= len(ticks) <= 8


@pytest.mark.parametrize(
    ("value", "expected"), [(0, "0"), (950, "950"), (1200, "1.2k"), (35e6, "35M"), (2e9, "2B"), (0.25, "0.25")]
)
def test_short_numbers(value: float, expected: str) -> None:
    assert short_number(value) == expected
