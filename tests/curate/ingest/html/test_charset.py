import pytest

from curate.ingest.html.charset import decode_html


def test_utf8_is_the_default_with_replacement() -> None:
    assert decode_html("é日".encode(), charset=None) == "é日"
    assert decode_html(b"caf\xe9", charset=None) == "caf\ufffd"
    assert decode_html(b"", charset=None) == ""


def test_header_names_the_encoding() -> None:
    assert decode_html("日本".encode("shift_jis"), charset="Shift_JIS") == "日本"
    assert decode_html(b"caf\xe9 \x93x\x94", charset='"ISO-8859-1"') == "café “x”"


def test_byte_order_mark_wins_over_the_header() -> None:
    assert decode_html(b"\xef\xbb\xbf\xc3\xa9", charset="latin-1") == "é"
    assert decode_html("\ufeffé".encode("utf-16-le"), charset="utf-8") == "é"
    assert decode_html("\ufeffé".encode("utf-16-be"), charset=None) == "é"


@pytest.mark.parametrize(
    "declaration",
    [
        '<meta charset="windows-1251">',
        "<META CHARSET=windows-1251>",
        '<meta http-equiv="Content-Type" content="text/html; charset=windows-1251">',
        '<?xml version="1.0" encoding="windows-1251"?>',
    ],
)
def test_declared_in_the_page(declaration: str) -> None:
    assert decode_html((declaration + "Привет").encode("cp1251"), charset=None).endswith("Привет")


def test_header_wins_over_the_page() -> None:
    assert decode_html('<meta charset="windows-1251">é'.encode(), charset="utf-8").endswith("é")


@pytest.mark.parametrize(
    "charset", ["nonsense", "", "unicode_escape", "utf-7", "idna", "hex", "zip", "a\0b", "x" * 999]
)
def test_labels_not_for_the_web_are_ignored(charset: str) -> None:
    assert decode_html("é\\x41+AGE-".encode(), charset=charset) == "é\\x41+AGE-"


def test_page_that_calls_itself_utf16_in_ascii_is_utf8() -> None:
    assert decode_html('<meta charset="utf-16">é'.encode(), charset=None).endswith("é")
