import asyncio
import json

import pytest
from yarl import URL

from curate.contract.reasons import FetchStatus
from curate.fetch.errors import FetchError
from curate.fetch.optouts.headers import Checks
from curate.fetch.optouts.origins import OriginStore
from curate.fetch.optouts.tdmrep import Reservation, Reservations, parse_tdmrep, reservation_of

FILE = json.dumps(
    [
        {"location": "/open/*", "tdm-reservation": 0},
        {"location": "/*.jpg$", "tdm-reservation": 1, "tdm-policy": "https://a.example/policy"},
        {"location": "/open/late.jpg", "tdm-reservation": 1},
    ]
).encode()


@pytest.mark.parametrize(("path", "expected"), [("/x.jpg", 1), ("/x.png", 0), ("/open/late.jpg", 0)])
def test_the_first_match_counts(path: str, expected: int) -> None:
    assert reservation_of(parse_tdmrep(FILE), URL(f"http://a.example{path}")) == expected


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"{}",
        b"[1, null, {}]",
        b'[{"location": "/", "tdm-reservation": "1"}]',
        b'[{"location": "/", "tdm-reservation": true}]',
        b'[{"location": 7, "tdm-reservation": 1}]',
        b"[" * 100_000,
        b"\xff",
    ],
)
def test_what_does_not_parse_says_nothing(body: bytes) -> None:
    assert parse_tdmrep(body) == ()


@pytest.mark.parametrize(
    ("answer", "expected", "num_asked"),
    [
        (FILE, 1, 1),
        (FetchError(FetchStatus.HTTP_404, "", 404), 0, 1),
        (FetchError(FetchStatus.TIMEOUT, ""), 0, 2),
    ],
)
def test_origins_are_asked_once(answer: bytes | FetchError, expected: int, num_asked: int) -> None:
    asked: list[str] = []
    store = OriginStore[tuple[Reservation, ...]]()

    async def fetch(url: URL) -> bytes:
        asked.append(str(url))
        if isinstance(answer, FetchError):
            raise answer
        return answer

    async def session() -> None:
        reservations, checks = Reservations(fetch, store=store), [Checks(), Checks()]
        await asyncio.gather(*(reservations.check(URL("http://a.example/x.jpg"), one) for one in checks))
        assert [one.tdm_reservation for one in checks] == [expected] * 2

    asyncio.run(session())
    asyncio.run(session())
    assert asked == ["http://a.example/.well-known/tdmrep.json"] * num_asked
