import os

from pipelines.bench.scale.memory import watch_memory


def test_the_peak_of_this_process_is_seen_and_of_a_process_that_has_gone_nothing() -> None:
    with watch_memory([]) as alone:
        pass
    assert alone.driver > 10
    assert alone.worker == 0
    with watch_memory([os.getpid(), 2**22 + 1]) as peak:
        pass
    assert abs(peak.worker - peak.driver) < 50
