import ipaddress

import pytest

from curate.contract.reasons import FetchStatus
from curate.fetch.addresses import AddressPolicy, is_public, parse_address, unmap
from curate.fetch.errors import FetchError


@pytest.mark.parametrize(
    "text", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "2002:808:808::1", "64:ff9b::8.8.8.8"]
)
def test_public(text: str) -> None:
    assert is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104 not bound, refused
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:0:127.0.0.1",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
        "3fff::1",
        "2002:7f00:1::",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::1",
        "5f00::1",
    ],
)
def test_not_public(text: str) -> None:
    assert not is_public(ipaddress.ip_address(text))


def test_unmap() -> None:
    assert str(unmap(ipaddress.ip_address("::ffff:10.0.0.1"))) == "10.0.0.1"
    assert str(unmap(ipaddress.ip_address("2001:4860::1"))) == "2001:4860::1"


def test_parse_address() -> None:
    assert parse_address("example.org") is None
    assert parse_address("127.1") is None
    assert parse_address("::1") == ipaddress.ip_address("::1")


@pytest.mark.parametrize("entry", ["127.0.0.1", "127.0.0.0/8", "LOCALHOST", "box.lan", "::1", "fd00::/8"])
def test_entries_that_are_allowed(entry: str) -> None:
    AddressPolicy([entry])


@pytest.mark.parametrize("entry", ["", "127.0.0.1/8", "300.1.1.1", "http://localhost", "a b", "*.lan", "-x"])
def test_entries_that_are_refused(entry: str) -> None:
    with pytest.raises(ValueError, match="no host name, IP address or CIDR block"):
        AddressPolicy([entry])


def test_allow_list_by_address_block_and_name() -> None:
    loopback = ipaddress.ip_address("127.0.0.1")
    mapped = ipaddress.ip_address("::ffff:127.0.0.1")
    assert not AddressPolicy().allows("x", loopback)
    assert AddressPolicy(["127.0.0.0/8"]).allows("x", loopback)
    assert AddressPolicy(["127.0.0.1"]).allows("x", mapped)
    assert AddressPolicy(["box.lan"]).allows("BOX.lan.", loopback)
    assert not AddressPolicy(["box.lan"]).allows("other.lan", loopback)


def test_literal_hosts_are_checked() -> None:
    policy = AddressPolicy(["127.0.0.1"])
    policy.check_host("127.0.0.1")
    policy.check_host("a-name-is-left-to-the-resolver")
    with pytest.raises(FetchError) as caught:
        policy.check_host("::1")
    assert caught.value.status == FetchStatus.FORBIDDEN_ADDRESS


def test_only_permitted_addresses_of_a_name_are_kept() -> None:
    assert AddressPolicy().keep_allowed("x", ["10.0.0.1", "8.8.8.8", "::1"]) == ["8.8.8.8"]
    with pytest.raises(FetchError, match=r"only 10\.0\.0\.1, ::1") as caught:
        AddressPolicy().keep_allowed("x", ["10.0.0.1", "::1"])
    assert caught.value.status == FetchStatus.FORBIDDEN_ADDRESS
