import pytest

from curate.fetch.network.head import HeadError
from curate.fetch.network.lenient_protocol import MAX_HEAD_BYTES, MAX_INTERIM_ANSWERS, HeadMender

JUNK = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nJunk line: x\r\n\r\n"
CLEAN = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"


def fed(data: bytes, chunk_bytes: int) -> tuple[bytes, HeadMender]:
    mender, passed = HeadMender(), b""
    for start in range(0, len(data), chunk_bytes):
        chunk = data[start : start + chunk_bytes]
        passed += chunk if mender.is_done else mender.feed(chunk)
    return passed, mender


@pytest.mark.parametrize("chunk_bytes", [1, 5, 1_000])
def test_the_head_is_mended_however_it_comes_and_the_body_is_not(chunk_bytes: int) -> None:
    body = b"a b: c\r\n\r\nd"
    assert fed(JUNK + body, chunk_bytes)[0] == CLEAN + body
    assert fed(CLEAN + body, chunk_bytes)[0] == CLEAN + body
    assert fed(b"\r\n" + JUNK + body, chunk_bytes)[0] == CLEAN + body
    assert fed(JUNK.replace(b"\r", b"") + body, chunk_bytes)[0] == CLEAN + body
    assert fed(HINTS + HINTS + JUNK + body, chunk_bytes)[0] == HINTS + HINTS + CLEAN + body


def test_half_a_head_is_held_back() -> None:
    passed, mender = fed(JUNK[:-1], 1_000)
    assert (passed, mender.is_done) == (b"", False)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * (MAX_HEAD_BYTES // 6), "bytes of headers"),
        (b"\r\n" * MAX_HEAD_BYTES, "bytes of headers"),
        (HINTS * (MAX_INTERIM_ANSWERS + 1), "interim answers"),
        (b"<html>\n\n", "no status line"),
        (b"\xff\xd8\xff\xe0 a picture without a head", "no status line"),
        (b"HTTP200 OK\r\n", "no status line"),
    ],
)
def test_no_head_is_waited_for_without_end(data: bytes, text: str) -> None:
    with pytest.raises(HeadError, match=text):
        fed(data, 4_096)
