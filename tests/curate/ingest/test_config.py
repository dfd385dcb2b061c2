import pytest
from pydantic import TypeAdapter, ValidationError

from curate.contract.reasons import Kind
from curate.ingest.config import PairsSource, Source, source_kind

_ADAPTER: TypeAdapter[Source] = TypeAdapter(Source)


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
    ],
)
def test_kind_follows_from_the_type(type_name: str, kind: Kind) -> None:
    assert source_kind(_ADAPTER.validate_python({"name": "a", "type": type_name, "path": "b"})) is kind
