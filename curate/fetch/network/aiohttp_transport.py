"""The transport of real runs: one aiohttp session, one TLS context per process."""

import asyncio
import functools
import resource
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager

import aiohttp
from aiohttp.http_exceptions import ContentLengthError, HttpProcessingError, TransferEncodingError
from multidict import CIMultiDictProxy
from yarl import URL

from curate.contract.reasons import FetchStatus
from curate.fetch.addresses import AddressPolicy
from curate.fetch.config import FetchConfig, Tls
from curate.fetch.errors import FetchError
from curate.fetch.network.head import MAX_HEADERS, MAX_LINE_BYTES
from curate.fetch.network.lenient_protocol import LenientConnector
from curate.fetch.network.proxies import Proxies
from curate.fetch.network.resolver import AddressCache, CheckedResolver, SystemLookup

READ_BUFFER_BYTES = 1 << 17
"""Bytes a connection may hold unread before its sender is stopped."""

KEEP_ALIVE_S = 2.0
"""How long an unused connection is kept: long enough from robots.txt to the next image, short for 10,000 hosts."""

WANTED_SOCKETS = 65_536
SPARE_HEADERS = 8
"""What mending may add to a head."""


@functools.cache
def tls_context(ca_file: str | None = None) -> ssl.SSLContext:
    """Return the process's TLS context; reading the system's certificates takes about 20 ms.

    Args:
        ca_file: PEM file of the authorities to trust instead of the system's.
    """
    context = ssl.create_default_context(cafile=ca_file)
    context.set_alpn_protocols(["http/1.1"])
    return context


@functools.cache
def trusting_tls_context() -> ssl.SSLContext:
    """Return a context that takes any certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context


@functools.cache
def allow_many_sockets() -> None:
    """Raise this process's soft limit on open files, once: a crawl of many hosts outgrows the usual 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED_SOCKETS if hard == resource.RLIM_INFINITY else min(WANTED_SOCKETS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class AiohttpTransport:
    """Sends requests over pooled connections to checked addresses. Create it inside a running loop."""

    def __init__(self, config: FetchConfig, *, addresses: AddressCache) -> None:
        allow_many_sockets()
        policy = AddressPolicy(config.allow_private)
        self._proxies = Proxies(policy, environment=None if config.use_proxies else {})
        self._lookup = SystemLookup()
        # Proxies may be private, and only they are connected to by these names; see `Proxies.proxy_for`.
        near = AddressPolicy((*config.allow_private, *self._proxies.hosts))
        self._resolver = CheckedResolver(near, lookup=self._lookup, cache=addresses)
        self._reports_tls_faults = config.tls is Tls.REPORT
        self._tls_faults: dict[tuple[str | None, int | None], str] = {}
        # Limits are kept by the client, and the resolver remembers; aiohttp does neither here.
        connector = LenientConnector(
            resolver=self._resolver,
            use_dns_cache=False,
            ssl=tls_context(config.ca_file),
            limit=0,
            limit_per_host=0,
            keepalive_timeout=KEEP_ALIVE_S,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=config.connect_timeout_s),
            auto_decompress=False,
            read_bufsize=READ_BUFFER_BYTES,
            max_line_size=MAX_LINE_BYTES,
            max_field_size=MAX_LINE_BYTES,
            max_headers=MAX_HEADERS + SPARE_HEADERS,
        )

    async def request(self, url: URL, headers: Mapping[str, str]) -> "AiohttpResponse":
        """See `Transport.request`. A literal address never reaches the resolver, so `proxy_for` checks it."""
        proxy = self._proxies.proxy_for(url)
        place = (url.host, url.port)
        if place not in self._tls_faults:
            try:
                return AiohttpResponse(await self._get(url, headers, proxy=proxy))
            except FetchError as error:
                is_reported = self._reports_tls_faults and isinstance(
                    error.__cause__, aiohttp.ClientConnectorCertificateError
                )
                if not is_reported:
                    raise
                self._tls_faults[place] = error.detail
        response = await self._get(url, headers, proxy=proxy, ssl=trusting_tls_context())
        return AiohttpResponse(response, tls_fault=self._tls_faults[place])

    async def _get(
        self, url: URL, headers: Mapping[str, str], *, proxy: URL | None, ssl: ssl.SSLContext | bool = True
    ) -> aiohttp.ClientResponse:
        with _translated():
            return await self._session.get(url, headers=headers, allow_redirects=False, proxy=proxy, ssl=ssl)

    async def close(self) -> None:
        """See `Transport.close`."""
        await self._session.close()
        await self._resolver.close()
        self._lookup.close()


class AiohttpResponse:
    """See `transport.Response`."""

    def __init__(self, response: aiohttp.ClientResponse, *, tls_fault: str | None = None) -> None:
        self._response = response
        self._tls_fault = tls_fault

    @property
    def status(self) -> int:
        """See `Response.status`."""
        return self._response.status

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """See `Response.headers`."""
        return self._response.headers

    @property
    def tls_fault(self) -> str | None:
        """See `Response.tls_fault`."""
        return self._tls_fault

    async def chunks(self) -> AsyncIterator[bytes]:
        """See `Response.chunks`."""
        content = self._response.content
        while True:
            with _translated():
                chunk = await content.readany()
            if not chunk:
                return
            yield chunk

    def close(self) -> None:
        """See `Response.close`."""
        self._response.close()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (
        aiohttp.ClientError,
        HttpProcessingError,
        OSError,
        TimeoutError,
        ValueError,
        asyncio.IncompleteReadError,
    ) as e:
        status = classify(e)
        raise FetchError(status, _describe(e)) from e


# The first match decides, so subclasses stand before their bases.
_STATUS_BY_ERROR: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], FetchStatus], ...] = (
    (aiohttp.ClientConnectorDNSError, FetchStatus.DNS_ERROR),
    ((aiohttp.ClientSSLError, ssl.SSLError, ssl.CertificateError), FetchStatus.TLS_ERROR),
    ((aiohttp.ServerTimeoutError, TimeoutError), FetchStatus.TIMEOUT),
    ((aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError, UnicodeError), FetchStatus.BAD_URL),
    ((aiohttp.ClientConnectionError, OSError), FetchStatus.CONNECT_ERROR),
    ((ContentLengthError, asyncio.IncompleteReadError), FetchStatus.TRUNCATED_BODY),
)


def classify(error: BaseException) -> FetchStatus:
    """Return the status of a network library's exception; whatever is not named is malformed HTTP."""
    if isinstance(error, aiohttp.ClientPayloadError):
        # Closed early, or a body that breaks the rules: the cause tells.
        cause = error.__cause__
        cut = cause is None or isinstance(cause, ContentLengthError | OSError) or _is_cut_chunk(cause)
        return FetchStatus.TRUNCATED_BODY if cut else FetchStatus.PROTOCOL_ERROR
    for kinds, status in _STATUS_BY_ERROR:
        if isinstance(error, kinds):
            return status
    return FetchStatus.PROTOCOL_ERROR


def _is_cut_chunk(cause: BaseException) -> bool:
    return isinstance(cause, TransferEncodingError) and "Not enough data" in str(cause)


def _describe(error: BaseException) -> str:
    """Return what is wrong in words. aiohttp's parser numbers its errors 400, which no server has said."""
    told: BaseException = error
    while isinstance(told, aiohttp.ClientPayloadError) and told.__cause__ is not None:
        told = told.__cause__
    text = str(told)
    if isinstance(told, aiohttp.ClientHttpProxyError):
        text = f"the proxy answered {told.status}: {told.message}"
    elif isinstance(told, aiohttp.ClientResponseError | HttpProcessingError):
        text = told.message
    text = " ".join(text.split())
    name = type(error.__cause__ if isinstance(error, aiohttp.ClientResponseError) else told).__name__
    return f"{name}: {text}"[:300] if text else name
