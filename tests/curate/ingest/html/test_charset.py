import pytest
from webencodings.labels import LABELS

from curate.ingest.html.charset import decode_html


def test_utf8_is_the_default_slips_and_a_cut_end_included() -> None:
    assert decode_html("é日".encode(), charset=None) == "é日"
    assert decode_html("日本語".encode() * 20 + b"\xe6\x97", charset=None) == "日本語" * 20 + "\ufffd"
    assert decode_html(b"", charset=None) == ""


@pytest.mark.parametrize(
    ("text", "codec"),
    [
        ("It\u2019s the town\u2019s oldest café \u2013 built in 1820.", "cp1252"),
        ("café", "cp1252"),
        ("Привет, как дела? Сегодня хорошая погода.", "cp1251"),
        ("Привет, как дела? Сегодня хорошая погода.", "koi8-r"),
        ("古い石の橋は町の下の川を渡ります。", "cp932"),
        ("古い石の橋は町の下の川を渡ります。", "euc_jp"),
        ("这座古老的石桥横跨镇下的河流。", "gb18030"),
        ("這座古老的石橋橫跨鎮下的河流。", "big5"),
        ("오래된 돌다리는 마을 아래 강을 건너고 있습니다.", "cp949"),
        ("สะพานหินเก่าข้ามแม่น้ำใต้เมือง", "cp874"),
        ("A page without a mark.", "utf-16-le"),
    ],
)
def test_undeclared(text: str, codec: str) -> None:
    html = f"<html><body><p>{text}</p></body></html>"
    assert decode_html(html.encode(codec), charset=None) == html


@pytest.mark.parametrize(
    ("label", "codec", "text"),
    [
        ("x-sjis", "cp932", "日本①"),
        ("windows-31j", "cp932", "日本①"),
        ("windows-874", "cp874", "ไทย"),
        ("tis-620", "cp874", "ไทย"),
        ("x-gbk", "gb18030", "中文"),
        ("ks_c_5601-1987", "cp949", "한국"),
        ("big5-hkscs", "big5hkscs", "中文"),
        ("latin1", "cp1252", "“é”"),
        ("l2", "iso8859-2", "ů"),
        ("logical", "iso8859-8", "גש"),
        ("x-mac-roman", "mac-roman", "é"),
        ("x-mac-ukrainian", "mac-cyrillic", "мост"),
        ("unicode-1-1-utf-8", "utf-8", "é日"),
        ("unicodefffe", "utf-16-be", "é日"),
        ("csiso2022jp", "iso2022_jp", "日本"),
    ],
)
def test_labels_of_the_standard(label: str, codec: str, text: str) -> None:
    assert decode_html(text.encode(codec), charset=label) == text
    assert decode_html(text.encode(codec), charset=f' "{label.upper()}" ') == text


def test_every_label_can_be_decoded() -> None:
    assert len(LABELS) >= 214
    assert all(isinstance(decode_html(b"<p>ab\xff", charset=label), str) for label in LABELS)


def test_encodings_that_hide_text_are_not_read() -> None:
    assert decode_html(b"<script>", charset="hz-gb-2312") == "\ufffd"


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
