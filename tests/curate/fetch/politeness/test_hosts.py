import pytest
from yarl import URL

from curate.contract.reasons import FetchStatus
from curate.fetch.errors import FetchError
from curate.fetch.politeness.hosts import FIRST_DELAY_S, MAX_DELAY_S, HostBook, HostLimits, HostState, host_key

LIMITS = HostLimits(per_host=8, max_wait_s=100, dead_after=3, dead_for_s=60)
BUSY = FetchError(FetchStatus.HTTP_429, "HTTP 429", 429)
REFUSED = FetchError(FetchStatus.CONNECT_ERROR, "refused")


def refuse(
    state: HostState, now_s: float, *, started_s: float | None = None, retry_after_s: float | None = None
) -> None:
    error = FetchError(FetchStatus.HTTP_429, "HTTP 429", 429, retry_after_s)
    state.answered(now_s)
    state.refused(error, started_s=now_s if started_s is None else started_s, now_s=now_s, limits=LIMITS)


def test_refusals_halve_the_concurrency_and_then_put_distance_between_requests() -> None:
    state, allowed = HostState(LIMITS), []
    for now_s in range(5):
        refuse(state, now_s)
        allowed.append(state.num_allowed(LIMITS))
    assert allowed == [4, 2, 1, 1, 1]
    assert state.earliest_start_s() == 4 + 2 * FIRST_DELAY_S
    for now_s in range(5, 50):
        refuse(state, now_s)
    assert state.earliest_start_s() == 49 + MAX_DELAY_S
    state.started(1_000)
    assert state.earliest_start_s() == 1_000 + MAX_DELAY_S


def test_refusals_of_one_crowd_count_once() -> None:
    state = HostState(LIMITS)
    for _ in range(5):
        refuse(state, 10, started_s=9)
    assert state.num_allowed(LIMITS) == 4


def test_answers_shrink_the_distance_and_then_let_the_concurrency_grow_back_slowly() -> None:
    state = HostState(LIMITS)
    for now_s in range(4):
        refuse(state, now_s)
    num_answers = 0
    while state.num_allowed(LIMITS) < LIMITS.per_host:
        state.bore_it(LIMITS)
        num_answers += 1
        if state.num_allowed(LIMITS) == 1:
            state.started(10)
    assert 100 < num_answers < 250
    assert state.earliest_start_s() == 10
    state.bore_it(LIMITS)
    assert state.num_allowed(LIMITS) == LIMITS.per_host


def test_retry_after_holds_the_whole_host() -> None:
    state = HostState(LIMITS)
    refuse(state, 5, retry_after_s=7)
    refuse(state, 6, started_s=4, retry_after_s=1)
    assert state.earliest_start_s() == 12
    assert state.refusal(6) is None


def test_a_host_that_asks_for_too_much_is_left_alone_until_then() -> None:
    state = HostState(LIMITS)
    refuse(state, 0, retry_after_s=101)
    error = state.refusal(100.9)
    assert error is not None
    assert (error.status, error.http_status) == (FetchStatus.HTTP_429, 429)
    assert "left alone for 101 s" in error.detail
    assert state.refusal(101) is None
    assert state.num_allowed(LIMITS) == 1  # a probe
    state.answered(102)
    assert state.num_allowed(LIMITS) == 4


def test_time_outs_halve_but_make_no_distance() -> None:
    state = HostState(LIMITS)
    for now_s in range(6):
        state.timed_out(started_s=now_s, now_s=now_s)
    assert state.num_allowed(LIMITS) == 1
    assert state.earliest_start_s() < 0


def test_a_host_that_never_answers_is_dead_and_probed_later() -> None:
    state = HostState(LIMITS)
    for now_s in range(2):
        state.failed(REFUSED, now_s=now_s, limits=LIMITS)
    assert state.refusal(2) is None
    state.failed(REFUSED, now_s=2, limits=LIMITS)
    error = state.refusal(3)
    assert error is not None
    assert error.status == FetchStatus.CONNECT_ERROR
    assert error.detail == "not asked: the host failed 3 times in a row: refused"
    assert state.refusal(62) is None
    assert state.num_allowed(LIMITS) == 1
    state.failed(REFUSED, now_s=63, limits=LIMITS)  # the probe
    assert state.refusal(64) is not None
    state.answered(130)
    assert state.refusal(130) is None
    assert state.num_allowed(LIMITS) == LIMITS.per_host


def test_bad_urls_do_not_kill_a_host_that_answers() -> None:
    state = HostState(LIMITS)
    state.answered(0)
    for now_s in range(1, 60):
        state.failed(REFUSED, now_s=now_s, limits=LIMITS)
    assert state.refusal(59) is None
    state.failed(REFUSED, now_s=60, limits=LIMITS)
    assert state.refusal(60) is not None


def test_the_book_keeps_states_and_pauses_known_hosts() -> None:
    book = HostBook()
    state = book.state("h", LIMITS)
    assert book.state("h", LIMITS) is state
    book.pause("h", 5)
    book.pause("unknown", 5)
    assert state.earliest_start_s() == 5


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("http://a.example/x", "a.example"),
        ("https://a.example/x", "a.example"),
        ("http://a.example:443/", "a.example"),
        ("http://a.example:8080/", "a.example:8080"),
    ],
)
def test_host_keys(url: str, key: str) -> None:
    assert host_key(URL(url)) == key
