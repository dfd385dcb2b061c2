import pytest

from curate.contract.reasons import FetchStatus
from curate.fetch.config import FetchConfig
from curate.fetch.errors import FetchError
from curate.fetch.optouts.headers import Checks
from curate.fetch.optouts.page import check_page

CONFIG = FetchConfig()


def refused(page: str, checks: Checks | None = None, config: FetchConfig = CONFIG) -> str | None:
    try:
        check_page(page.encode(), status=200, config=config, checks=checks or Checks())
    except FetchError as error:
        return error.detail if error.status is FetchStatus.OPTED_OUT else str(error)
    return None


@pytest.mark.parametrize(
    ("page", "detail"),
    [
        ("<meta name=robots content='noai, noimageai'>", "meta robots: noai"),
        ("<meta name=ROBOTS content='NOIMAGEAI'>", "meta robots: noimageai"),
        ("<meta name=robots content='nofollow noai'>", "meta robots: noai"),
        ("<meta name=robots content=all><meta name=robots content=noai>", "meta robots: noai"),
        ("<meta name=vila-curate content=noai>", "meta robots: noai"),
        ("<meta http-equiv=X-Robots-Tag content=noai>", "meta robots: noai"),
        ("<meta name=tdm-reservation content='1'>", "meta tdm-reservation: 1"),
        ("<meta name=TDM-Reservation content=' 1 '>", "meta tdm-reservation: 1"),
        ("<meta name=googlebot content=noai>", None),
        ("<meta name=robots content='max-snippet:-1, index'>", None),
        ("<meta name=tdm-reservation content=0>", None),
        ("<meta name=description content=noai>", None),
        ("<p>no ai", None),
    ],
)
def test_what_reserves_a_page(page: str, detail: str | None) -> None:
    assert refused(page) == detail


def test_statements_stand_beside_those_of_the_headers() -> None:
    checks = Checks(x_robots_tag="nofollow", tdm_reservation=0)
    page = "<meta name=robots content=noai><meta name=tdm-reservation content=1>"
    assert refused(page, checks) == "meta robots: noai; meta tdm-reservation: 1"
    assert (checks.x_robots_tag, checks.tdm_reservation) == ("nofollow, noai", 1)


def test_each_signal_has_its_switch() -> None:
    page = "<meta name=robots content=noai><meta name=tdm-reservation content=1>"
    checks = Checks()
    assert refused(page, checks, FetchConfig(respect_x_robots=False)) == "meta tdm-reservation: 1"
    assert checks.x_robots_tag is None
    assert refused(page, config=FetchConfig(respect_tdmrep=False)) == "meta robots: noai"
