import pytest

from train_bridge.options import TrainOptions, parse_options


def test_a_command_line_is_read() -> None:
    found = parse_options(["stage.yaml", "--set", "a.b=1", "--resume", "--set", "c=2", "--debug"])
    assert found == TrainOptions(
        stage="stage.yaml", overrides=("a.b=1", "c=2"), resume=True, plan_only=False, debug=True
    )


@pytest.mark.parametrize("arguments", [[], ["stage.yaml", "--nope"], ["stage.yaml", "another.yaml"]])
def test_wrong_usage_ends_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse_options(arguments)
    assert caught.value.code == 2
