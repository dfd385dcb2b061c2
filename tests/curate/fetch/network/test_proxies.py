import pytest
from yarl import URL

from curate.contract.reasons import FetchStatus
from curate.fetch.addresses import AddressPolicy
from curate.fetch.errors import FetchError
from curate.fetch.network.proxies import Proxies

PROXY = "http://proxy.lan:3128"
ENVIRONMENT = {"http": PROXY, "https": PROXY, "no": "near.example, .direct.example"}


def proxy_of(url: str, *, allow_private: tuple[str, ...] = (), environment: dict[str, str] | None = None) -> str | None:
    proxies = Proxies(AddressPolicy(allow_private), environment=ENVIRONMENT if environment is None else environment)
    proxy = proxies.proxy_for(URL(url))
    return None if proxy is None else str(proxy).rstrip("/")


def test_urls_go_through_the_proxy_of_their_scheme() -> None:
    assert proxy_of("https://a.example/x") == PROXY
    assert proxy_of("http://8.8.8.8/x") == PROXY
    assert proxy_of("http://a.example/x", environment={"https": PROXY}) is None
    assert proxy_of("http://a.example/x", environment={}) is None


@pytest.mark.parametrize("url", ["http://near.example/", "http://x.near.example/", "https://direct.example/"])
def test_exceptions(url: str) -> None:
    assert proxy_of(url) is None
    assert proxy_of(url, environment={"http": PROXY, "no": "*"}) is None


def test_hosts_of_the_allow_list_are_near() -> None:
    assert proxy_of("http://127.0.0.1:8000/", allow_private=("127.0.0.0/8",)) is None
    assert proxy_of("http://box.lan/", allow_private=("box.lan",)) is None


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1/",
        "http://[::1]/",
        "http://localhost/",
        "http://a.localhost/",
        "http://printer/",
        "http://metadata.internal/",
        "http://proxy.lan/",
    ],
)
def test_what_is_known_to_be_private_is_not_asked_for(url: str) -> None:
    with pytest.raises(FetchError) as caught:
        proxy_of(url)
    assert caught.value.status == FetchStatus.FORBIDDEN_ADDRESS


def test_hosts_of_proxies_are_known() -> None:
    assert Proxies(AddressPolicy(), environment=ENVIRONMENT).hosts == {"proxy.lan"}
