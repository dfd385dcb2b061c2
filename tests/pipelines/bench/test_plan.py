import pytest

from pipelines.bench.plan import rows_of


def test_less_is_better_but_for_counting() -> None:
    rows = rows_of(
        {
            "start": [0.4, 0.5, 0.6],
            "start planning": [10.0],
            "memory": [20.0],
            "count-tokens": [400.0],
            "count-tokens one": [200.0],
        }
    )
    assert [(row["case"], row["ours"], row["peer_value"], row["runs"]) for row in rows] == [
        ("start", 0.5, 10.0, 3),
        ("memory", 20.0, 40.0, 1),
        ("count-tokens", 400.0, 200.0, 1),
    ]
    assert [row["ratio"] for row in rows] == pytest.approx([20.0, 2.0, 2.0])
