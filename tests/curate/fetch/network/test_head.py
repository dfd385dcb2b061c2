import pytest

from curate.fetch.network.head import MAX_HEADERS, MAX_LINE_BYTES, HeadError, is_plain_answer, mend_head

OK = b"HTTP/1.1 200 OK\r\n"


def mended(*lines: bytes, end: bytes = b"\r\n") -> list[bytes]:
    head = mend_head(OK + b"".join(line + end for line in lines) + end)
    first, *rest, last, nothing = head.split(b"\r\n")
    assert (first + b"\r\n", last, nothing) == (OK, b"", b"")
    return rest


def test_a_head_without_a_fault_is_not_touched() -> None:
    head = OK + b"Content-Type: text/html; charset=utf-8\r\nX-Name:\r\nContent-Length: 12\r\n\r\n"
    assert mend_head(head) is head
    assert is_plain_answer(head + b"body")
    assert not is_plain_answer(head[:-2])
    assert not is_plain_answer(b"HTTP/1.1 103 Early Hints\r\n\r\n" + head)


@pytest.mark.parametrize(
    "junk",
    [
        b"PHP Warning:  Module 'x' already loaded in Unknown on line 0",
        b"Cache Control: max-age=10",
        b"<br />",
        b": no name",
        b"X-\xe9tat: 1",
        b"X-Long: " + bytes(MAX_LINE_BYTES).replace(b"\0", b"x"),
        b"Sec-WebSocket-Key1: x",
    ],
)
def test_what_is_no_header_is_left_out(junk: bytes) -> None:
    assert mended(b"A: 1", junk, b"B: 2") == [b"A: 1", b"B: 2"]


def test_blanks_folds_controls_and_bare_line_feeds_are_mended() -> None:
    assert mended(b"Content-Type : text/html") == [b"Content-Type: text/html"]
    assert mended(b"A: 1,", b"\t2", b" 3", b"B: 2") == [b"A: 1, 2 3", b"B: 2"]
    assert mended(b" A: 1") == [b"A: 1"]
    assert mended(b"A: 1\x002\r3") == [b"A: 1 2 3"]
    assert mended(b"A: 1", b"B: 2", end=b"\n") == [b"A: 1", b"B: 2"]
    assert len(mended(*[b"X: v"] * (MAX_HEADERS + 5))) == MAX_HEADERS


@pytest.mark.parametrize(
    ("lines", "framing"),
    [
        ([b"Content-Length: 7", b"content-length: 7"], [b"Content-Length: 7"]),
        ([b"Content-Length: 7, 7"], [b"Content-Length: 7"]),
        ([b"Content-Length: 07", b"Content-Length: 7"], [b"Content-Length: 7"]),
        ([b"Content-Length: many"], []),
        ([b"Content-Length: -1"], []),
        ([b"Content-Length:"], []),
        ([b"Transfer-Encoding: Chunked", b"Transfer-Encoding: chunked"], [b"Transfer-Encoding: chunked"]),
        ([b"Transfer-Encoding: gzip, chunked"], [b"Transfer-Encoding: chunked"]),
        ([b"Transfer-Encoding: identity", b"Content-Length: 7"], [b"Content-Length: 7"]),
        (
            [b"Transfer-Encoding: chunked", b"Content-Length: 7"],
            [b"Transfer-Encoding: chunked", b"Connection: close"],
        ),
    ],
)
def test_a_body_has_one_frame(lines: list[bytes], framing: list[bytes]) -> None:
    assert mended(*lines) == framing


def test_two_lengths_are_refused_and_named() -> None:
    with pytest.raises(HeadError, match="both 7 and 8"):
        mended(b"Content-Length: 7", b"Content-Length: 8")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"HTTP/1.1 200", b"HTTP/1.1 200 "),
        (b"HTTP/1.1  404  Not Found", b"HTTP/1.1 404 Not Found"),
        (b"http/1.1 200 ok", b"HTTP/1.1 200 ok"),
        (b"HTTP/1.0 200 OK\x01", b"HTTP/1.0 200 OK"),
        (b"HTTP/2 200", b"HTTP/1.1 200 "),
        (b"ICY 200 OK", b"HTTP/1.0 200 OK"),
    ],
)
def test_status_lines(line: bytes, expected: bytes) -> None:
    assert mend_head(line + b"\r\nX Y: 1\r\n\r\n") == expected + b"\r\n\r\n"


@pytest.mark.parametrize("line", [b"<html>", b"HTTP/1.1 OK", b"HTTP/1.1 2000 OK", b"SSH-2.0-OpenSSH"])
def test_what_is_no_answer_is_refused(line: bytes) -> None:
    with pytest.raises(HeadError, match="no status line"):
        mend_head(line + b"\r\n\r\n")
