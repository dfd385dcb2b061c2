import time

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from curate.contract.reasons import FetchStatus
from curate.contract.schemas import OPT_OUT_CHECKS
from curate.fetch.config import FetchConfig
from curate.fetch.errors import FetchError
from curate.fetch.optouts.headers import MS_PER_S, Checks, check_headers, parse_x_robots

NOTHING = FetchConfig(respect_x_robots=False, respect_tdmrep=False, respect_content_usage=False)


def check(given: CIMultiDictProxy[str], *, checks: Checks | None = None, config: FetchConfig | None = None) -> Checks:
    checks = checks or Checks()
    check_headers(given, status=200, config=config or FetchConfig(), checks=checks)
    return checks


def named(**values: str) -> CIMultiDictProxy[str]:
    return CIMultiDictProxy(CIMultiDict({name.replace("_", "-"): value for name, value in values.items()}))


def headers(*lines: str) -> CIMultiDictProxy[str]:
    return CIMultiDictProxy(CIMultiDict([("X-Robots-Tag", line) for line in lines]))


@pytest.mark.parametrize(
    "line",
    [
        "noai",
        "NoAI",
        "nofollow, noimageai",
        "noml",
        "noindex",
        "none",
        "noimageindex",
        "vila-curate: noai",
        "*: noai",
        "googlebot: nofollow, vila-curate: noarchive, noindex",
        "unavailable_after: 25 Jun 2026 15:00:00 PST, noai",
    ],
)
def test_reserved(line: str) -> None:
    with pytest.raises(FetchError) as caught:
        check(headers("all", line))
    assert caught.value.status == FetchStatus.OPTED_OUT


@pytest.mark.parametrize("line", ["", "all", "nofollow", "googlebot: noindex, noai", "max-snippet: 5", "noaix"])
def test_not_reserved(line: str) -> None:
    check(headers(line))


def test_a_scope_ends_with_its_line() -> None:
    with pytest.raises(FetchError):
        check(headers("googlebot: nofollow", "noai"))


def test_parse_x_robots() -> None:
    assert list(parse_x_robots("a: x, y, B: z, max-snippet: 3")) == [
        ("a", "x"),
        ("a", "y"),
        ("b", "z"),
        ("b", "max-snippet"),
    ]


def test_nothing_said() -> None:
    assert check(headers()) == Checks(x_robots_tag="", content_usage="")
    assert check(headers("noai"), config=NOTHING) == Checks()


def test_the_tdm_header_overrides_the_file() -> None:
    assert check(named(tdm_reservation="0"), checks=Checks(tdm_reservation=1)).tdm_reservation == 0
    assert check(named(tdm_reservation="2"), checks=Checks(tdm_reservation=0)).tdm_reservation == 0
    for given, known in ((named(tdm_reservation="1"), 0), (headers(), 1), (named(tdm_reservation="yes"), 1)):
        checks = Checks(tdm_reservation=known)
        with pytest.raises(FetchError, match=r"(?i)tdm-reservation"):
            check(given, checks=checks)
        assert checks.tdm_reservation == 1


def test_the_stricter_content_usage_counts() -> None:
    assert check(named(content_usage="train-ai=y"), checks=Checks(content_usage="search=n")).content_usage == (
        "search=n, train-ai=y"
    )
    for given, from_robots in ((named(content_usage="train-ai=n"), "train-ai=y"), (headers(), "train-ai=n")):
        with pytest.raises(FetchError, match="Content-Usage: train-ai=n"):
            check(given, checks=Checks(content_usage=from_robots))


@pytest.mark.parametrize("switch", ["respect_x_robots", "respect_tdmrep", "respect_content_usage"])
def test_each_signal_has_its_switch(switch: str) -> None:
    reserved = named(x_robots_tag="noai", tdm_reservation="1", content_usage="train-ai=n")
    checks = Checks()
    with pytest.raises(FetchError) as caught:
        check(reserved, config=NOTHING.model_copy(update={switch: True}), checks=checks)
    assert caught.value.status == FetchStatus.OPTED_OUT
    assert sum(value is not None for value in (checks.x_robots_tag, checks.tdm_reservation, checks.content_usage)) == 1
    assert check(reserved, config=NOTHING) == Checks()


def test_every_signal_is_named_at_once() -> None:
    with pytest.raises(FetchError) as caught:
        check(named(x_robots_tag="noai", tdm_reservation="1", content_usage="train-ai=n"))
    assert caught.value.detail.count(";") == 2


def test_rows_are_dated_and_short() -> None:
    before_s = time.time()
    checks = check(headers("x" * 10_000))
    row = checks.to_row()
    assert list(row) == [field.name for field in OPT_OUT_CHECKS]
    assert row["x_robots_tag"] == "x" * 200
    assert int(before_s) * MS_PER_S <= int(str(row["fetched_at"])) <= time.time() * MS_PER_S
