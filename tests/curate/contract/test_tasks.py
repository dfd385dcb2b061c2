from curate.contract.tasks import map_here


def test_jobs_are_run_here_one_after_the_other_as_they_are_asked_for() -> None:
    done: list[int] = []

    def double(number: int) -> int:
        done.append(number)
        return 2 * number

    found = map_here(double, {"a": 1, "b": 2}, phase="double")
    assert next(found) == 2
    assert done == [1]
    assert list(found) == [4]
