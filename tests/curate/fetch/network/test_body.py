import asyncio
import gzip

import pytest

from curate.contract.reasons import FetchStatus
from curate.fetch.errors import FetchError
from curate.fetch.network.body import OutgrownError, content_length, read_body
from tests.curate.fetch.fake_transport import FakeResponse

TEXT = b"one two three " * 20


def read(
    body: bytes, *, coding: str = "", max_bytes: int = 1_000, keep_prefix: bool = False, chunk_bytes: int = 7
) -> bytes:
    response = FakeResponse(body, headers={"Content-Encoding": coding}, chunk_bytes=chunk_bytes)
    return asyncio.run(read_body(response, max_bytes=max_bytes, try_grow=has_room, keep_prefix=keep_prefix))


def has_room(_: int) -> bool:
    return True


def test_the_cap_is_exact() -> None:
    assert read(bytes(100), max_bytes=100) == bytes(100)
    assert read(gzip.compress(bytes(100)), coding="gzip", max_bytes=100) == bytes(100)
    for body, coding in ((bytes(101), ""), (gzip.compress(bytes(101)), "gzip")):
        with pytest.raises(FetchError) as caught:
            read(body, coding=coding, max_bytes=100)
        assert caught.value.status == FetchStatus.TOO_LARGE


def test_a_bomb_is_not_inflated() -> None:
    with pytest.raises(FetchError) as caught:
        read(gzip.compress(bytes(10_000_000)), coding="gzip", max_bytes=50_000, chunk_bytes=65_536)
    assert caught.value.status == FetchStatus.TOO_LARGE


def test_a_prefix_is_kept_on_wish() -> None:
    assert read(TEXT, max_bytes=5, keep_prefix=True) == TEXT[:5]
    assert read(gzip.compress(TEXT), coding="gzip", max_bytes=100, keep_prefix=True) == TEXT[:100]


def test_an_announced_excess_is_not_read() -> None:
    response = FakeResponse(b"", headers={"Content-Length": "101"})
    with pytest.raises(FetchError, match="Content-Length is 101"):
        asyncio.run(read_body(response, max_bytes=100, try_grow=has_room))


def test_a_body_without_room_is_given_up() -> None:
    response = FakeResponse(gzip.compress(bytes(1_000)), headers={"Content-Encoding": "gzip"})
    asked: list[int] = []

    def has_none(num_bytes: int) -> bool:
        asked.append(num_bytes)
        return False

    with pytest.raises(OutgrownError):
        asyncio.run(read_body(response, max_bytes=2_000, try_grow=has_none))
    assert asked == [1_000]


@pytest.mark.parametrize(("text", "expected"), [("12", 12), ("", None), ("-1", None), ("1e3", None), ("9" * 30, None)])
def test_content_length(text: str, expected: int | None) -> None:
    assert content_length({"Content-Length": text}) == expected
