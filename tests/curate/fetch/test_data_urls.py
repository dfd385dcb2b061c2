import pytest

from curate.fetch.data_urls import is_data_url, read_data_url
from curate.fetch.errors import FetchError


@pytest.mark.parametrize(
    ("url", "data"),
    [
        ("data:image/png;base64,aGVsbG8=", b"hello"),
        ("data:image/png;charset=x; BASE64 ,aGVsbG8", b"hello"),
        (" DATA:;base64,aGVs\n bG8%3D", b"hello"),
        ("data:image/png;base64,-_-_", bytes.fromhex("fbffbf")),
        ("data:,a%20b,c", b"a b,c"),
        ("data:image/svg+xml,<svg>", b"<svg>"),
    ],
)
def test_what_they_hold(url: str, data: bytes) -> None:
    assert is_data_url(url)
    assert read_data_url(url, max_bytes=len(data)) == data


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("data:image/png", "bad_url"),
        ("data:" + "x" * 300 + ",a", "bad_url"),
        ("data:;base64,a", "bad_url"),
        ("data:;base64,a*b=", "bad_url"),
        ("data:,", "empty_body"),
        ("data:,12345678901", "too_large"),
        ("data:," + "x" * 10_000, "too_large"),
    ],
)
def test_what_they_do_not(url: str, status: str) -> None:
    with pytest.raises(FetchError) as caught:
        read_data_url(url, max_bytes=10)
    assert caught.value.status == status


def test_other_urls() -> None:
    assert not is_data_url("http://e.example/data:")
