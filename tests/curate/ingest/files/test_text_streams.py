import io

import pytest

from curate.ingest.files.text_streams import as_text


def _read(data: bytes, *, buffer_bytes: int = 8192) -> bytes:
    return as_text(io.BufferedReader(io.BytesIO(data), buffer_bytes)).read()


@pytest.mark.parametrize("buffer_bytes", [4, 5, 8192])
def test_bare_carriage_returns_end_lines_where_the_first_does(buffer_bytes: int) -> None:
    assert _read(b"a\rb\r\nc\n\rd\r", buffer_bytes=buffer_bytes) == b"a\nb\nc\n\nd\n"
    assert _read(b"a\nb\rc\n", buffer_bytes=buffer_bytes) == b"a\nb\rc\n"
    assert _read(b"a\r\r\nb\rc\n") == b"a\r\r\nb\rc\n"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_wide_encodings_are_told_by_their_mark(encoding: str) -> None:
    text = "Brücke 橋 🌉\r" * 3000
    assert _read(text.encode(encoding)) == text.replace("\r", "\n").encode()
    with pytest.raises(UnicodeDecodeError):
        _read(text.encode(encoding)[:-1])
