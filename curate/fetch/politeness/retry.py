"""When a failed request is tried again, and after how long."""

import random
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from curate.contract.reasons import FetchStatus
from curate.fetch.errors import FetchError, HostGivenUpError

RETRIED_HTTP_STATUSES = frozenset({429, 500, 502, 503, 504})
"""Answers that a later request may not get; 501 and 505 stay what they are."""

# A missing name is not retried: the system's resolver has already asked more than once.
_RETRIED_STATUSES = frozenset({FetchStatus.CONNECT_ERROR, FetchStatus.TIMEOUT, FetchStatus.TRUNCATED_BODY})


def is_retried(error: FetchError) -> bool:
    """Return whether a further attempt is worth its cost to the host."""
    if isinstance(error, HostGivenUpError):
        return False
    if error.status is FetchStatus.TIMEOUT and error.http_status is not None:
        return False  # the answer came, and its body too slowly: it would again
    return error.status in _RETRIED_STATUSES or (
        error.status in {FetchStatus.HTTP_429, FetchStatus.HTTP_5XX} and error.http_status in RETRIED_HTTP_STATUSES
    )


def is_refusal(error: FetchError) -> bool:
    """Return whether a host says that it gets too many requests (RFC 6585, section 4; RFC 9110, section 15.6.4)."""
    return error.http_status in {429, 503} and error.status in {FetchStatus.HTTP_429, FetchStatus.HTTP_5XX}


def asks_to_come_back(error: FetchError) -> bool:
    """Return whether a refusal is about the moment and not about the URL: 429, or 503 with Retry-After."""
    return is_refusal(error) and (error.http_status == 429 or error.retry_after_s is not None)  # noqa: PLR2004


def backoff_delay_s(attempt: int, *, base_s: float, retry_after_s: float | None, rng: random.Random) -> float:
    """Return the wait before the next attempt, seconds.

    Exponential back-off with full jitter (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog 2015):
    uniform in 0 .. 2 * base * 2**attempt. A host's Retry-After takes the place of the exponent; the jitter then spreads
    the clients that were told the same.

    Args:
        attempt: Attempts made before the failed one: 0, 1, ...
        base_s: Mean of the first wait.
        retry_after_s: What the host asked for, or None.
        rng: Source of the jitter.
    """
    if retry_after_s is not None:
        return retry_after_s + rng.uniform(0.0, 2 * base_s)
    return rng.uniform(0.0, 2 * base_s * 2**attempt)


def retry_after_s(headers: Mapping[str, str], *, now: datetime | None = None) -> float | None:
    """Return the wait that a Retry-After header asks for (RFC 9110, section 10.2.3), or None.

    Args:
        headers: Of the response.
        now: Moment that dates are counted from; the clock's by default.
    """
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:  # "-0000": the time zone is unknown, HTTP's is UTC
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())
