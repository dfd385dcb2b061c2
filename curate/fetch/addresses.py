"""Which addresses may be connected to: public ones, and those that the recipe names.

A URL list is written by strangers. Without this check a row such as ``http://169.254.169.254/`` or a redirect to
``http://localhost/`` would read the machine's own network.
"""

import ipaddress
import re
from collections.abc import Iterable

from curate.contract.reasons import FetchStatus
from curate.fetch.errors import FetchError

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_HOST_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")  # RFC 4291: the only block that IANA hands out
_DOCUMENTATION = ipaddress.IPv6Network("3fff::/20")  # RFC 9637; Python 3.11 does not know it
_IPV4_BITS = 0xFFFF_FFFF


def unmap(address: IPAddress) -> IPAddress:
    """Return the IPv4 address that an IPv6 address stands for (mapped, 6to4 or NAT64), or the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & _IPV4_BITS)
    return address.ipv4_mapped or address.sixtofour or address


def is_public(address: IPAddress) -> bool:
    """Return whether an address belongs to the open internet, judged after `unmap`."""
    address = unmap(address)
    if not address.is_global or address.is_multicast:
        return False
    # Python calls much outside 2000::/3 global, IPv4-compatible ::127.0.0.1 among it.
    return isinstance(address, ipaddress.IPv4Address) or (address in _GLOBAL_UNICAST and address not in _DOCUMENTATION)


def parse_address(host: str) -> IPAddress | None:
    """Return the address that a URL's host spells in canonical form, or None for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


class AddressPolicy:
    """Says of each address whether it may be connected to."""

    def __init__(self, allow_private: Iterable[str] = ()) -> None:
        """Read the allow-list.

        Args:
            allow_private: Host names, IP addresses and CIDR blocks.

        Raises:
            ValueError: An entry is none of these.
        """
        self._hosts: set[str] = set()
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        for entry in allow_private:
            try:
                self._networks.append(ipaddress.ip_network(entry))
            except ValueError as error:
                # `127.0.0.1/8` has host bits and `300.1.1.1` no meaning; neither may pass as a host name.
                if not _HOST_NAME.fullmatch(entry.lower()) or entry.rpartition(".")[2].isdigit():
                    raise ValueError(f"{entry!r} is no host name, IP address or CIDR block: {error}") from error
                self._hosts.add(entry.lower())

    def allows(self, host: str, address: IPAddress) -> bool:
        """Return whether `address`, which `host` resolved to, may be connected to."""
        if host.lower().rstrip(".") in self._hosts:
            return True
        either = {address, unmap(address)}
        return is_public(address) or any(one in network for network in self._networks for one in either)

    def names_host(self, host: str) -> bool:
        """Return whether the allow-list names a host, or a block that holds its literal address."""
        address = parse_address(host)
        is_near = address is not None and any(address in network for network in self._networks)
        return is_near or host.lower().rstrip(".") in self._hosts

    def check_host(self, host: str) -> None:
        """Refuse a URL whose host is a literal address that may not be connected to.

        Raises:
            FetchError: FORBIDDEN_ADDRESS.
        """
        address = parse_address(host)
        if address is not None and not self.allows(host, address):
            raise FetchError(FetchStatus.FORBIDDEN_ADDRESS, f"{host} is not a public address")

    def keep_allowed(self, host: str, addresses: Iterable[str]) -> list[str]:
        """Return those of a name's addresses that may be connected to, in their order.

        Raises:
            FetchError: FORBIDDEN_ADDRESS if there is none.
        """
        found = list(addresses)
        allowed = [text for text in found if self.allows(host, ipaddress.ip_address(text))]
        if not allowed:
            raise FetchError(FetchStatus.FORBIDDEN_ADDRESS, f"{host} has no public address, only {', '.join(found)}")
        return allowed
