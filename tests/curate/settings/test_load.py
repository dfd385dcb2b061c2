from collections.abc import Sequence
from pathlib import Path
from typing import Self

import pytest
from pydantic import BaseModel, ConfigDict, Field, model_validator

from curate.contract.errors import RecipeError
from curate.settings.load import parse_settings, read_settings


class Wheel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    size_mm: int = Field(600, ge=1)


class Bicycle(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    wheels: tuple[Wheel, ...] = Field(min_length=1)
    gears: dict[str, int] = Field(default_factory=dict)
    colour: str | None = None

    @model_validator(mode="after")
    def _check_colour(self) -> Self:
        if self.colour == "none":
            raise ValueError("colour: there is always one\ngears: as above")
        return self


GOOD = "wheels: [{name: front}, {name: back, size_mm: 500}]\n"


def faults_of(text: str, *overrides: str) -> tuple[str, ...]:
    with pytest.raises(RecipeError) as caught:
        parse_settings(text, Bicycle, overrides=overrides)
    return caught.value.faults


def test_overrides_win_later_ones_over_earlier_ones() -> None:
    made = parse_settings(GOOD, Bicycle, overrides=["colour=red", "wheels.back.size_mm=7", "colour=blue"])
    assert (made.colour, [wheel.size_mm for wheel in made.wheels]) == ("blue", [600, 7])


def test_every_fault_is_told_at_once_those_of_overrides_first() -> None:
    assert faults_of("wheels: [{nam: a, size_mm: 0}]\ncolor: red\n", "colour") == (
        "--set colour: write it as key.key=value",
        "wheels.0.name: required, but not given",
        "wheels.0.size_mm: Input should be greater than or equal to 1 (got 0)",
        "wheels.0.nam: unknown key (did you mean 'name'?)",
        "color: unknown key (did you mean 'colour'?)",
    )


def test_a_fault_of_an_override_alone_keeps_the_settings_from_being_used() -> None:
    assert faults_of(GOOD, "wheels.9.size_mm=3") == ("--set wheels.9.size_mm: 9 is no section",)


def test_checks_that_span_sections_write_their_own_paths() -> None:
    assert faults_of(GOOD + "colour: none\n") == ("colour: there is always one", "gears: as above")


def test_more_faults_are_asked_for_where_sections_are_faulty() -> None:
    asked: list[set[str]] = []

    def more(raw: dict[str, object], faulty: set[str]) -> Sequence[str]:
        asked.append(faulty)
        return [f"{len(raw)} sections"]

    with pytest.raises(RecipeError) as caught:
        parse_settings(GOOD + "gears: {a: x}\n", Bicycle, more_faults=more)
    assert caught.value.faults[-1] == "2 sections"
    assert asked == [{"gears"}]
    parse_settings(GOOD, Bicycle, more_faults=more)
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("wheels: [\n", "not valid YAML"),
        ("\x00", "not valid YAML"),
        ("a: !!python/object:os.system 1\n", "not valid YAML"),
        ("", "at least a line `wheels: ...`"),
        ("- 1\n", "not a mapping"),
        ("wheels: 1\nwheels: 2\n", "line 1: wheels given twice"),
        (GOOD + "gears: {a: 1, a: 2}\n", "line 2: a given twice"),
    ],
)
def test_a_text_that_is_no_mapping(text: str, fault: str) -> None:
    (line,) = faults_of(text)
    assert fault in line


def test_anchors_and_merges_work() -> None:
    text = "wheels: [{&both {name: front}}, {<<: *both, size_mm: 3}]\n".replace(
        "{&both {name: front}}", "&both {name: front}"
    )
    assert [wheel.name for wheel in parse_settings(text, Bicycle).wheels] == ["front", "front"]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"# gr\xf6\xdfer\n")
    for name in ("none.yaml", "latin.yaml", "."):
        with pytest.raises(RecipeError, match="cannot be read"):
            read_settings(f"{tmp_path}/{name}")
