import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from curate.settings.explain import explain


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")

    size: int = 1
    by_alias: int = Field(1, alias="with.dot")


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    inner: Inner | None = None
    many: dict[str, Inner] = Field(default_factory=dict)
    listed: list[int] = Field(min_length=2)


@pytest.mark.parametrize(
    ("raw", "lines"),
    [
        ({"listed": [1, 2], "inner": {"sise": 1}}, ["inner.sise: unknown key (did you mean 'size'?)"]),
        ({"listed": [1, 2], "inner": {"with.dit": 1}}, ["inner.with.dit: unknown key (did you mean 'with.dot'?)"]),
        ({"listed": [1, 2], "many": {"x": {"sise": 1}}}, ["many.x.sise: unknown key (did you mean 'size'?)"]),
        ({"listed": [1, 2], "zzzzz": 1}, ["zzzzz: unknown key (there are: inner, listed, many)"]),
        ({}, ["listed: required, but not given"]),
    ],
)
def test_a_fault_is_a_line_with_place_and_hint(raw: dict[str, object], lines: list[str]) -> None:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(raw)
    assert explain(caught.value, Outer) == lines


def test_a_list_is_not_short_because_its_entries_are_faulty() -> None:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate({"listed": ["x"]})
    assert [line.partition(":")[0] for line in explain(caught.value, Outer)] == ["listed.0"]
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate({"listed": [1]})
    assert len(explain(caught.value, Outer)) == 1
