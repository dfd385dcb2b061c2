import pytest

from curate.contract.reasons import IngestReason
from curate.ingest.files.faults import ColumnError, Place, RecordError
from curate.ingest.files.row import (
    Row,
    drop_field,
    find_field,
    require_dict,
    require_list,
    require_str,
    require_text,
    type_name,
)

_PLACE = Place(label="a.csv", number=2)


def test_wanted_column_wins_over_the_usual_ones() -> None:
    row = Row(place=_PLACE, fields={"url": 1, "link": 2})
    assert find_field(row, "link", usual=("url",), what="URL").value == 2
    assert find_field(row, None, usual=("URI", "url"), what="URL").value == 1


def test_names_are_found_whatever_their_case_the_exact_one_first() -> None:
    row = Row(place=_PLACE, fields={"Url": 1, "URL": 2, "Caption": 3})
    assert find_field(row, None, usual=("URL",), what="URL").value == 2
    assert find_field(row, None, usual=("url",), what="URL").name == "Url"
    assert find_field(row, "cAPTION", usual=(), what="text").value == 3


def test_pictures_inside_rows_are_named() -> None:
    for value in (b"\xff\xd8\xff\xe0", {"bytes": b"\x89PNG\r\n", "path": "a"}):
        row = Row(place=_PLACE, fields={"image": value, "caption": "a"})
        with pytest.raises(ColumnError, match="columns: caption, image; 'image' holds the pictures themselves"):
            find_field(row, None, usual=("url",), what="image URL")


def test_fields_of_structs() -> None:
    fields = {"a.b": 1, "image": {"Meta": {"url": 2, "w": 3}}, "none": None, "text": "x"}
    row = Row(place=_PLACE, fields=fields)
    assert find_field(row, "a.b", usual=(), what="URL").value == 1
    found = find_field(row, "image.meta.url", usual=(), what="URL")
    assert (found.value, found.name) == (2, "image.Meta.url")
    assert drop_field(fields, found.path)["image"] == {"Meta": {"w": 3}}
    assert "text" not in drop_field(fields, ("text",))
    assert find_field(row, "none.url", usual=(), what="URL").value is None
    for name in ("image.url", "text.url", "image.Meta.url.x"):
        with pytest.raises(ColumnError):
            find_field(row, name, usual=(), what="URL")


def test_binary_text_is_decoded() -> None:
    assert require_text("橋 ".encode(), "text") == "橋"
    with pytest.raises(RecordError, match="text is not UTF-8: byte 0xff"):
        require_text(b"a\xff", "text")


def test_missing_column_error_lists_what_is_there() -> None:
    row = Row(place=_PLACE, fields={"b": 1, "a": 2})
    with pytest.raises(ColumnError) as caught:
        find_field(row, "img", usual=("url",), what="image URL")
    assert caught.value.what == "no column 'img' for the image URL; columns: a, b"


@pytest.mark.parametrize("value", [None, "", " \n"])
def test_blank_text_is_an_empty_document(value: str | None) -> None:
    with pytest.raises(RecordError) as caught:
        require_text(value, "text")
    assert caught.value.reason is IngestReason.EMPTY_DOCUMENT


def test_wrong_types_are_named() -> None:
    with pytest.raises(RecordError, match="text must be a string, not a number"):
        require_text(3, "text")
    with pytest.raises(RecordError, match="text must be a string, not null"):
        require_str(None, "text")
    with pytest.raises(RecordError, match="turns must be a list, not an object"):
        require_list({}, "turns")
    with pytest.raises(RecordError, match="turn must be an object, not a boolean"):
        require_dict(True, "turn")  # noqa: FBT003  # a JSON value


def test_type_name_of_other_values() -> None:
    assert type_name(b"") == "bytes"
