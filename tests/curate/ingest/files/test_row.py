import pytest

from curate.contract.reasons import IngestReason
from curate.ingest.files.faults import ColumnError, Place, RecordError
from curate.ingest.files.row import Row, find_column, require_dict, require_list, require_str, require_text, type_name

_PLACE = Place(label="a.csv", number=2)


def test_wanted_column_wins_over_the_usual_ones() -> None:
    row = Row(place=_PLACE, fields={"url": 1, "link": 2})
    assert find_column(row, "link", usual=("url",), what="URL") == "link"
    assert find_column(row, None, usual=("URL", "url"), what="URL") == "url"


def test_missing_column_error_lists_what_is_there() -> None:
    row = Row(place=_PLACE, fields={"b": 1, "a": 2})
    with pytest.raises(ColumnError) as caught:
        find_column(row, "img", usual=("url",), what="image URL")
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
