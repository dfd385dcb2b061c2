from collections.abc import Callable, Iterator

import pytest

from pipelines.bench.row import NUM_RUNS, compare


def replay(values: list[float], calls: list[str], name: str) -> Callable[[], float]:
    source: Iterator[float] = iter(values)

    def measure() -> float:
        calls.append(name)
        return next(source)

    return measure


def test_both_are_warmed_up_then_measured_in_turns() -> None:
    calls: list[str] = []
    ours, theirs = replay([999, 1, 30, 20], calls, "ours"), replay([999, 5, 10, 4], calls, "theirs")
    row = compare("b", "c", unit="MB/s", ours=ours, peer="peer 1.0", theirs=theirs, num_runs=3)
    assert calls == ["ours", "theirs"] * 4
    assert row == {
        "bench": "b",
        "case": "c",
        "unit": "MB/s",
        "ours": 20,
        "peer": "peer 1.0",
        "peer_value": 5,
        "ratio": 4.0,
        "runs": 3,
    }


def test_a_peer_that_is_not_installed_has_no_value() -> None:
    row = compare("b", "c", unit="MB/s", ours=lambda: 2.0, peer="none", theirs=None)
    assert (row["ours"], row["peer_value"], row["ratio"], row["runs"]) == (2.0, None, None, NUM_RUNS)


def test_a_peer_at_zero_has_no_ratio() -> None:
    row = compare("b", "c", unit="MB/s", ours=lambda: 2.0, peer="slow", theirs=lambda: 0.0)
    assert (row["peer_value"], row["ratio"]) == (0.0, None)


def test_a_measurement_that_fails_is_not_hidden() -> None:
    def fail() -> float:
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        compare("b", "c", unit="MB/s", ours=lambda: 1.0, peer="p", theirs=fail)
