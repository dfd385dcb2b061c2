import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from curate.fetch.errors import FetchError
from curate.fetch.network.answers import check_status, content_type, redirect_location
from tests.curate.fetch.fake_transport import FakeResponse


@pytest.mark.parametrize("code", [200, 203])
def test_successes(code: int) -> None:
    check_status(FakeResponse(status=code))


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (204, "empty_body"),
        (206, "http_other"),
        (304, "http_other"),
        (302, "http_other"),
        (400, "http_4xx"),
        (404, "http_404"),
        (410, "http_410"),
        (429, "http_429"),
        (451, "http_4xx"),
        (500, "http_5xx"),
        (599, "http_5xx"),
        (999, "http_other"),
    ],
)
def test_each_code_has_a_status(code: int, status: str) -> None:
    with pytest.raises(FetchError) as caught:
        check_status(FakeResponse(status=code, headers={"Retry-After": "7"}))
    assert (caught.value.status, caught.value.http_status) == (status, code)
    assert caught.value.retry_after_s in {7.0, None}


def test_redirects_need_a_location() -> None:
    there = {"Location": "/there"}
    assert redirect_location(FakeResponse(status=308, headers=there)) == "/there"
    assert redirect_location(FakeResponse(status=308)) is None
    assert redirect_location(FakeResponse(status=200, headers=there)) is None
    assert redirect_location(FakeResponse(status=304, headers=there)) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("text/html; charset=UTF-8", ("text/html", "utf-8")),
        ('Text/HTML ;Charset="Latin1"; x=y', ("text/html", "latin1")),
        ("text/html", ("text/html", None)),
        ("text/html; charset=", ("text/html", None)),
        ("", (None, None)),
        (";", (None, None)),
    ],
)
def test_content_type(text: str, expected: tuple[str | None, str | None]) -> None:
    assert content_type(CIMultiDictProxy(CIMultiDict({"Content-Type": text}))) == expected
    assert content_type(CIMultiDictProxy(CIMultiDict())) == (None, None)
