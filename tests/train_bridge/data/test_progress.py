import pytest

from train_bridge.data.progress import progress_of


def test_it_is_said_how_far_counting_is(capsys: pytest.CaptureFixture[str]) -> None:
    tell = progress_of("set")
    tell(65_536, 100_000)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("counting tokens of set: 65,536 of 100,000 samples, ")
