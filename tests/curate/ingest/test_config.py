import pytest
from pydantic import TypeAdapter, ValidationError

from curate.contract.reasons import Kind
from curate.ingest.config import PairsSource, Source, source_kind

_ADAPTER: TypeAdapter[Source] = TypeAdapter(Source)


def test_every_type_has_a_kind() -> None:
    types = {"pages", "mmc4", "pairs", "instructions", "obelics", "interleaved"}
    assert {_ADAPTER.validate_python({"name": "a", "type": kind, "path": "b"}).type for kind in types} == types


@pytest.mark.parametrize(
    "change",
    [
        {"delimiter": "::"},
        {"delimiter": '"'},
        {"columns": ["url", "URL"]},
        {"columns": [""]},
        {"type": "instructions", "image_root": ""},
        {"type": "instructions", "roles": {"bot": "robot"}},
        {"captions": "all"},
    ],
)
def test_options_that_make_no_sense_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        _ADAPTER.validate_python({"name": "a", "type": "pairs", "path": "a.txt"} | change)


def test_type_chooses_the_model() -> None:
    source = _ADAPTER.validate_python({"name": "coyo", "type": "pairs", "path": "*.parquet", "text_column": "alt"})
    assert source == PairsSource(name="coyo", path="*.parquet", text_column="alt")


@pytest.mark.parametrize("change", [{"type": "laion"}, {"name": "a/b"}, {"name": ""}, {"path": ""}, {"colour": "red"}])
def test_wrong_fields_are_refused(change: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        _ADAPTER.validate_python({"name": "a", "type": "pages", "path": "a.txt"} | change)


@pytest.mark.parametrize(
    ("type_name", "kind"),
    [
        ("pages", Kind.INTERLEAVED),
        ("mmc4", Kind.INTERLEAVED),
        ("pairs", Kind.PAIR),
        ("instructions", Kind.TEXT),
        ("obelics", Kind.INTERLEAVED),
        ("interleaved", Kind.INTERLEAVED),
    ],
)
def test_kind_follows_from_the_type(type_name: str, kind: Kind) -> None:
    assert source_kind(_ADAPTER.validate_python({"name": "a", "type": type_name, "path": "b"})) is kind
