import pytest

from curate.fetch.network.chunks import MAX_LINE_BYTES, MAX_TRAILER_BYTES, ChunkMender

CLEAN = b"5\r\none, \r\nb\r\ntwo,\n\r\n 0\r\n\r\n0\r\n\r\n"


def fed(data: bytes, chunk_bytes: int = 100_000) -> tuple[bytes, bool]:
    mender = ChunkMender()
    starts = range(0, len(data), chunk_bytes)
    return b"".join(mender.feed(data[start : start + chunk_bytes]) for start in starts), mender.is_odd


@pytest.mark.parametrize("chunk_bytes", [1, 2, 7, 1_000])
@pytest.mark.parametrize(
    ("sizes", "last", "is_odd"),
    [
        ((b"5\r\n", b"b\r\n"), b"0\r\n\r\n", False),
        ((b"0005\r\n", b"B;a=b;c\r\n"), b"000;x\r\nX: y\r\nZ: 0\r\n\r\n", False),
        ((b"5 \t\r\n", b"b\r\n"), b"0\r\n\r\n", True),
        ((b"\t5\r\n", b"b\r\n"), b"0\r\n\r\n", True),
        ((b"5 ; a = b\r\n", b"b\r\n"), b"0\r\n\r\n", True),
        ((b"5\n", b"b\r\n"), b"0\r\n\r\n", True),
        ((b"5\r\n", b"b\r\n"), b"0\n\n", True),
        ((b"5\r\n", b"b\r\n"), b"0\r\nX: y\n\r\n", True),
    ],
)
def test_chunks_are_written_anew(sizes: tuple[bytes, bytes], last: bytes, *, is_odd: bool, chunk_bytes: int) -> None:
    body = sizes[0] + b"one, \r\n" + sizes[1] + b"two,\n\r\n 0\r\n\r\n" + last
    assert fed(body, chunk_bytes) == (CLEAN, is_odd)


def test_the_line_end_after_a_chunk_may_lack_its_carriage_return() -> None:
    assert fed(b"3\r\nabc\n0\r\n\r\n") == (b"3\r\nabc\r\n0\r\n\r\n", True)


@pytest.mark.parametrize("line", [b"zz\r\n", b"\r\n", b"-1\r\n", b"0x5\r\n", b"5 5\r\n", b"1" * 17 + b"\r\n"])
def test_what_is_no_size_goes_on_as_it_is_for_the_parser_to_refuse(line: bytes) -> None:
    for data in (line + b"abc\n 5\n", b"3\r\nabc\r\n" + line):
        assert fed(data) == (data, True)


def test_a_chunk_that_is_longer_than_it_says_goes_on_as_it_is() -> None:
    assert fed(b"3\r\nabcd\r\n0\r\n\r\n", 1)[0] == b"3\r\nabcd\r\n0\r\n\r\n"


def test_a_cut_body_stays_cut() -> None:
    for end in range(len(CLEAN) - 1):
        passed, is_odd = fed(CLEAN[:end])
        assert (CLEAN.startswith(passed), passed != CLEAN, is_odd) == (True, True, False)


def test_no_line_is_waited_for_without_end() -> None:
    mender = ChunkMender()
    assert mender.feed(b"3;" + b"x" * MAX_LINE_BYTES).startswith(b"!3;")
    assert mender.is_odd


def test_trailers_beyond_all_measure_end_a_body_that_is_whole() -> None:
    mender = ChunkMender()
    assert mender.feed(b"3\r\nabc\r\n0\r\n" + b"X: y\r\n" * MAX_TRAILER_BYTES) == b"3\r\nabc\r\n0\r\n\r\n"
    assert mender.feed(b"X: y\r\n") == b""
    assert mender.is_odd
