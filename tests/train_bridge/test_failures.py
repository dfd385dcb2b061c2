import pytest

from curate.contract.errors import CurateError, RecipeError
from train_bridge.failures import tell_failure


@pytest.mark.parametrize(
    ("error", "code", "lines"),
    [
        (RecipeError(("optim.lr: no number",)), 2, ["error: optim.lr: no number"]),
        (CurateError("shards: none"), 1, ["error: shards: none"]),
        (ValueError("head size\n  17"), 1, ["error: ValueError: head size 17 (--debug shows where)"]),
        (
            OSError(28, "No space left on device"),
            1,
            ["error: [Errno 28] No space left on device (--debug shows where)"],
        ),
        (KeyError("model"), 1, ["error: KeyError: 'model' (--debug shows where)"]),
    ],
)
def test_what_a_person_can_mend_is_one_line(
    error: Exception, code: int, lines: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert tell_failure(error) == code
    assert capsys.readouterr().err.splitlines() == lines


def test_faults_of_the_program_and_debugging_show_where(capsys: pytest.CaptureFixture[str]) -> None:
    cases: list[tuple[Exception, bool]] = [(AssertionError("never"), False), (ValueError("17"), True)]
    for error, debug in cases:
        with pytest.raises(type(error)) as caught:
            raise error
        assert tell_failure(caught.value, debug=debug) == 1
        text = capsys.readouterr().err
        assert "Traceback" in text
        assert "test_failures.py" in text


def test_a_rank_says_which_it_is(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("RANK", "3")
    tell_failure(CurateError("no"))
    assert capsys.readouterr().err == "error on rank 3: no\n"
