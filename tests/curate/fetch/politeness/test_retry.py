import random
from datetime import UTC, datetime

import pytest

from curate.contract.reasons import FetchStatus
from curate.fetch.errors import FetchError, HostGivenUpError
from curate.fetch.politeness.retry import asks_to_come_back, backoff_delay_s, is_refusal, is_retried, retry_after_s


@pytest.mark.parametrize(
    ("status", "http_status", "expected"),
    [
        (FetchStatus.CONNECT_ERROR, None, True),
        (FetchStatus.TIMEOUT, None, True),
        (FetchStatus.TIMEOUT, 200, False),
        (FetchStatus.TRUNCATED_BODY, 200, True),
        (FetchStatus.HTTP_429, 429, True),
        (FetchStatus.HTTP_5XX, 503, True),
        (FetchStatus.HTTP_5XX, 501, False),
        (FetchStatus.HTTP_404, 404, False),
        (FetchStatus.HTTP_4XX, 408, False),
        (FetchStatus.OPTED_OUT, 200, False),
        (FetchStatus.DNS_ERROR, None, False),
        (FetchStatus.TLS_ERROR, None, False),
    ],
)
def test_is_retried(status: FetchStatus, http_status: int | None, expected: bool) -> None:  # noqa: FBT001 a table's column
    assert is_retried(FetchError(status, "", http_status)) is expected


def test_a_host_that_was_given_up_is_not_asked_again() -> None:
    assert not is_retried(HostGivenUpError(FetchStatus.CONNECT_ERROR, ""))


def test_refusals() -> None:
    busy = [FetchError(FetchStatus.HTTP_429, "", 429), FetchError(FetchStatus.HTTP_5XX, "", 503, 1.0)]
    broken = FetchError(FetchStatus.HTTP_5XX, "", 503)
    assert [(is_refusal(error), asks_to_come_back(error)) for error in [*busy, broken]] == [
        (True, True),
        (True, True),
        (True, False),
    ]
    for error in (FetchError(FetchStatus.HTTP_5XX, "", 500, 1.0), FetchError(FetchStatus.TIMEOUT, "", 503)):
        assert not is_refusal(error)


def test_delays_grow_with_full_jitter_above_what_the_host_asks_for() -> None:
    rng = random.Random(0)
    for attempt, longest_s in ((0, 1.0), (1, 2.0), (3, 8.0)):
        delays = [backoff_delay_s(attempt, base_s=0.5, retry_after_s=None, rng=rng) for _ in range(300)]
        assert 0 <= min(delays) < 0.05 * longest_s
        assert 0.95 * longest_s < max(delays) <= longest_s
    assert 10 <= backoff_delay_s(5, base_s=0.5, retry_after_s=10, rng=rng) <= 11


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0.0),
        (" 120 ", 120.0),
        ("Wed, 01 Jan 2025 00:01:00 GMT", 60.0),
        ("Wed, 01 Jan 2025 00:01:00 -0000", 60.0),
        ("Tue, 31 Dec 2024 00:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("²", None),
        ("", None),
        ("9" * 400, 999_999_999.0),
    ],
)
def test_retry_after(text: str, expected: float | None) -> None:
    assert retry_after_s({"Retry-After": text}, now=datetime(2025, 1, 1, tzinfo=UTC)) == expected


def test_no_header() -> None:
    assert retry_after_s({}) is None
