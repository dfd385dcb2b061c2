import time
from pathlib import Path

import pytest

from curate.contract.errors import CurateError
from pipelines.run import lock
from pipelines.run.folder import RunFolder, read_json, write_json
from pipelines.run.lock import only_run

ELSEWHERE = RunFolder("memory://lock-test")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "READ_BACK_S", 0.0)


def test_one_run_at_a_time_works_in_a_folder(tmp_path: Path) -> None:
    folder, other = RunFolder(f"{tmp_path}/a"), RunFolder(f"{tmp_path}/b")
    with only_run(folder), only_run(other):  # noqa: SIM117 - only the last one is refused
        with pytest.raises(CurateError, match="/a: another run is working here"), only_run(folder):
            pytest.fail("two runs in one folder")
    with only_run(folder):
        pass


def test_the_lock_is_given_back_when_a_run_breaks(tmp_path: Path) -> None:
    folder = RunFolder(str(tmp_path))
    with pytest.raises(KeyboardInterrupt), only_run(folder):
        raise KeyboardInterrupt
    with only_run(folder):
        pass


def test_elsewhere_a_lease_says_who_works_there_and_is_given_back() -> None:
    with only_run(ELSEWHERE):
        told = r"lock\.json: another run is working here, process \d+ on "
        with pytest.raises(CurateError, match=told), only_run(ELSEWHERE):
            pytest.fail("two runs in one folder")
        assert read_json(ELSEWHERE.file("lock.json"))["until_s"] > time.time()
    assert read_json(ELSEWHERE.file("lock.json")) is None
    with pytest.raises(KeyboardInterrupt), only_run(ELSEWHERE):
        raise KeyboardInterrupt
    with only_run(ELSEWHERE):
        pass


def test_a_lease_that_has_run_out_is_taken_over() -> None:
    write_json(ELSEWHERE.file("lock.json"), {"owner": "x", "host": "h", "process": 1, "until_s": time.time() - 1})
    with only_run(ELSEWHERE):
        assert read_json(ELSEWHERE.file("lock.json"))["owner"] != "x"


def test_of_two_that_write_at_once_the_one_that_reads_the_others_word_gives_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def sleep(_seconds: float) -> None:
        write_json(ELSEWHERE.file("lock.json"), {"owner": "y", "host": "h", "process": 1, "until_s": time.time() + 9})

    monkeypatch.setattr("pipelines.run.lock.time.sleep", sleep)
    with pytest.raises(CurateError, match="another run is working here, process 1 on h"), only_run(ELSEWHERE):
        pytest.fail("two runs in one folder")
    assert read_json(ELSEWHERE.file("lock.json"))["owner"] == "y"
    write_json(ELSEWHERE.file("lock.json"), {"owner": "y", "host": "h", "process": 1, "until_s": 0.0})


def test_a_lease_is_renewed_while_the_work_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "RENEWAL_S", 0.01)
    with only_run(ELSEWHERE):
        first = read_json(ELSEWHERE.file("lock.json"))["until_s"]
        deadline = time.monotonic() + 10
        while read_json(ELSEWHERE.file("lock.json"))["until_s"] == first:
            assert time.monotonic() < deadline
            time.sleep(0.01)
