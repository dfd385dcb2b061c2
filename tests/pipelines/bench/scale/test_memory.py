import os

from pipelines.bench.scale.memory import watch_memory


def test_the_peak_of_this_process_is_seen_and_of_a_process_that_has_gone_nothing() -> None:
    with watch_memory([]) as before:
        pass
    with watch_memory([os.getpid(), 2**22 + 1]) as peak:
        held = bytearray(os.urandom(1 << 16) * 1600)  # 105 MB, touched
    assert peak.driver > before.driver + 50
    assert abs(peak.worker - peak.driver) < 50
    assert before.worker == 0
    del held
