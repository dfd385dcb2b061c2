import math

import pytest

from curate.report.builders import MAX_CURVE_POINTS, build_blend, build_curve


def test_a_blend_summary_becomes_rows() -> None:
    summary = {
        "name": "main",
        "unit": "tokens",
        "samples": 12,
        "images": 8,
        "tokens": 900,
        "total": {"wanted": None, "largest": 900, "binding": "pair"},
        "entries": {
            "text": {"wanted_share": 0.1, "got_share": 0.11, "supply": {"samples": 40}, "not_drawn": 30},
            "pair": {
                "wanted_share": 0.9,
                "got_share": 0.89,
                "drawn": {"samples": 8, "images": 8, "tokens": 801},
                "most_repeats": 4,
            },
        },
    }
    blend = build_blend(summary)
    assert (blend.name, blend.unit, blend.num_tokens, blend.binding) == ("main", "tokens", 900, "pair")
    assert [entry.name for entry in blend.entries] == ["pair", "text"]
    pair, text = blend.entries
    assert (pair.num_samples, pair.num_tokens, pair.most_repeats, pair.supply) == (8, 801, 4, 0)
    assert (text.num_samples, text.supply, text.num_not_drawn) == (0, 40, 30)


def test_a_long_curve_keeps_its_ends_and_its_mean() -> None:
    curve = build_curve("stage1", [(i, 1000.0 - i) for i in range(960)])
    assert len(curve.points) == MAX_CURVE_POINTS
    assert curve.points[0] == (1.5, 998.5)  # the mean of four steps
    assert curve.points[-1][0] == pytest.approx(957.5)


def test_losses_that_are_not_finite_are_left_out() -> None:
    assert build_curve("s", [(0, math.nan), (1, 2.0), (2, math.inf)]).points == ((1.0, 2.0),)
    assert build_curve("s", []).points == ()
