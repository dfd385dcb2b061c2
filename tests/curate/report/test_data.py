import pytest

from curate.report.data import TruthFigure


@pytest.mark.parametrize(
    ("value", "target", "passed"),
    [(0.5, 0.5, True), (0.499, 0.5, False), (None, 0.5, True), (0.0, None, True)],
)
def test_a_figure_fails_only_below_its_target(value: float | None, target: float | None, *, passed: bool) -> None:
    assert TruthFigure(name="n", value=value, target=target, num_cases=4).passed is passed
