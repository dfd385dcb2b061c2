"""Proxies named by the environment: HTTP_PROXY, HTTPS_PROXY and NO_PROXY, in either case.

A proxy connects in our stead, so the address of a name cannot be checked or pinned here. What can be checked is: URLs
with literal addresses, names that mean this machine, and the proxy's own name. A proxy that must not reach private
networks has to be told so. Hosts in `allow_private` are never asked for through a proxy: they are near.
"""

from collections.abc import Mapping
from urllib.request import getproxies_environment

from yarl import URL

from curate.contract.reasons import FetchStatus
from curate.fetch.addresses import AddressPolicy, parse_address
from curate.fetch.errors import FetchError

_LOCAL_SUFFIXES = (".localhost", ".local", ".internal", ".localdomain")  # RFC 6761, RFC 6762, ICANN's .internal


class Proxies:
    """Says of each URL through which proxy it goes."""

    def __init__(self, policy: AddressPolicy, *, environment: Mapping[str, str] | None = None) -> None:
        """Read the environment.

        Args:
            policy: Which addresses may be connected to.
            environment: Scheme to proxy URL, and `no`; the process's by default.
        """
        self._policy = policy
        named = dict(getproxies_environment() if environment is None else environment)
        entries = (entry.strip().lower().lstrip(".") for entry in named.get("no", "").split(","))
        self._near = tuple(entry for entry in entries if entry)
        self._proxies = {scheme: URL(text) for scheme, text in named.items() if scheme in {"http", "https"}}

    @property
    def hosts(self) -> frozenset[str]:
        """Names and addresses of the proxies, which may be private."""
        return frozenset(proxy.host for proxy in self._proxies.values() if proxy.host)

    def proxy_for(self, url: URL) -> URL | None:
        """Return the proxy that a URL goes through, None for none.

        Raises:
            FetchError: FORBIDDEN_ADDRESS for a host that is known to be private.
        """
        host = url.host or ""
        self._policy.check_host(host)
        is_near = self._policy.names_host(host)
        if host in self.hosts and not is_near:
            raise FetchError(FetchStatus.FORBIDDEN_ADDRESS, f"{host} is our proxy")
        proxy = self._proxies.get(url.scheme)
        if proxy is None or is_near or self._is_bypassed(host):
            return None
        if parse_address(host) is None and (host == "localhost" or host.endswith(_LOCAL_SUFFIXES) or "." not in host):
            raise FetchError(FetchStatus.FORBIDDEN_ADDRESS, f"{host} is a local name")
        return proxy

    def _is_bypassed(self, host: str) -> bool:
        """Return whether NO_PROXY names a host, a domain above it, or everything (``*``)."""
        return any(entry in {"*", host} or host.endswith(f".{entry}") for entry in self._near)
