import pytest

from curate.ingest.origins import public_label, read_origin


@pytest.mark.parametrize(
    ("ordinal", "origin"),
    [
        ("a/part.jsonl#17", {"file": "a/part.jsonl", "row": 17}),
        ("a#3.zip/b#4.csv#17.2", {"file": "a#3.zip/b#4.csv", "row": 17, "record": 2}),
        ("a.parquet#5/3", {"file": "a.parquet", "row": 5, "caption": 3}),
        ("a.jsonl#5.2/3", {"file": "a.jsonl", "row": 5, "record": 2, "caption": 3}),
        ("new\nline#1", {"file": "new\nline", "row": 1}),
        ("s3://key:secret@bucket/a.jsonl#2", {"file": "s3://bucket/a.jsonl", "row": 2}),
        ("a.jsonl", None),
        ("a.jsonl#17 (2)", None),
        ("a#" + "9" * 400, None),
    ],
)
def test_an_ordinal_names_file_and_row(ordinal: str, origin: dict[str, object] | None) -> None:
    assert read_origin(ordinal) == origin


def test_labels_tell_no_secrets() -> None:
    assert public_label("https://u:p@h/a.jsonl?X-Amz-Signature=abc/d") == "https://h/a.jsonl"
    assert public_label("what?.jsonl") == "what?.jsonl"
