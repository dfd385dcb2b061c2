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


@pytest.mark.parametrize(
    ("content_range", "is_whole"),
    [
        ("bytes 0-99/100", True),
        ("Bytes=0-99/100", True),
        (None, True),
        ("bytes 0-99/200", False),
        ("bytes 1-99/100", False),
        ("bytes 0-99/*", False),
        ("nonsense", False),
    ],
)
def test_a_partial_answer_may_be_the_whole(content_range: str | None, *, is_whole: bool) -> None:
    response = FakeResponse(status=206, headers={} if content_range is None else {"Content-Range": content_range})
    if is_whole:
        check_status(response)
        return
    with pytest.raises(FetchError, match="HTTP 206") as caught:
        check_status(response)
    assert caught.value.status == "http_other"


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
        ("text/html charset=utf-8", ("text/html", "utf-8")),
        ("text/html, text/html; charset=UTF-8", ("text/html", "utf-8")),
        ("text/html; charset=utf-8, text/html", ("text/html", "utf-8")),
        ("text/html; charset=a, text/html; charset=b", ("text/html", "b")),
        ("image/png; charset=a, text/html", ("text/html", None)),
        ("text/html;charset=utf-8;charset=latin1", ("text/html", "utf-8")),
        ("text/htmlcharset=utf-8", (None, "utf-8")),
        ("text/html, */*", ("text/html", None)),
        ("*/*", (None, None)),
        ("text/*", (None, None)),
        ("html", (None, None)),
        ('multipart/mixed; boundary="a,b/c"', ("multipart/mixed", None)),
    ],
)
def test_content_type(text: str, expected: tuple[str | None, str | None]) -> None:
    assert content_type(CIMultiDictProxy(CIMultiDict({"Content-Type": text}))) == expected
    assert content_type(CIMultiDictProxy(CIMultiDict())) == (None, None)


def test_content_types_of_several_lines_are_one_list() -> None:
    lines = [("Content-Type", "text/plain"), ("Content-Type", "text/html; charset=utf-8")]
    assert content_type(CIMultiDictProxy(CIMultiDict(lines))) == ("text/html", "utf-8")
