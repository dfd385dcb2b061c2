"""urllib with the guards that it lacks, for code of others that calls `urllib.request.urlopen`.

http and https only; addresses checked and pinned on every hop; bodies capped in bytes and time; one TLS context. Every
failure is told in words that `read_failure` understands, because such code keeps no more of it than its text.
"""

import http.client
import re
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from curate.contract.reasons import FetchStatus
from curate.fetch.addresses import AddressPolicy
from curate.fetch.config import FetchConfig
from curate.fetch.errors import FetchError
from curate.fetch.network.aiohttp_transport import tls_context
from curate.fetch.network.answers import status_of
from curate.fetch.network.proxies import Proxies
from curate.fetch.urls import parse_url

_CHUNK_BYTES = 1 << 16
_HTTP_OK = 200
_REDIRECTS = range(300, 400)
_TOLD = re.compile(r"fetch: (\w+) (\d*): (.*)", re.DOTALL)

# The first match decides, so subclasses stand before their bases.
_STATUS_BY_ERROR: tuple[tuple[type[BaseException], FetchStatus], ...] = (
    (ssl.SSLError, FetchStatus.TLS_ERROR),
    (TimeoutError, FetchStatus.TIMEOUT),
    (socket.gaierror, FetchStatus.DNS_ERROR),
    (OSError, FetchStatus.CONNECT_ERROR),  # RemoteDisconnected is one
    (http.client.IncompleteRead, FetchStatus.TRUNCATED_BODY),
    (http.client.InvalidURL, FetchStatus.BAD_URL),
)

_installing = threading.Lock()


class ToldError(Exception):
    """A FetchError in words."""

    def __init__(self, error: FetchError) -> None:
        super().__init__(f"fetch: {error.status} {error.http_status or ''}: {error.detail}")


def read_failure(text: str) -> FetchError | None:
    """Return the error that a text tells of, None for a text that is not ours."""
    told = _TOLD.fullmatch(text)
    return told and FetchError(FetchStatus(told[1]), told[3], int(told[2]) if told[2] else None)


@contextmanager
def guarded_urllib(config: FetchConfig) -> Iterator[None]:
    """Let every `urllib.request.urlopen` of this process obey `config` while the block runs, one block at a time."""
    with _installing:
        before = urllib.request._opener  # type: ignore[attr-defined]  # noqa: SLF001 - there is no other way to ask
        urllib.request.install_opener(guarded_opener(config))
        try:
            yield
        finally:
            urllib.request._opener = before  # type: ignore[attr-defined]  # noqa: SLF001


def guarded_opener(config: FetchConfig) -> urllib.request.OpenerDirector:
    """Return an opener that raises nothing but ToldError."""
    proxies = Proxies(AddressPolicy(config.allow_private), environment=None if config.use_proxies else {})
    near = AddressPolicy((*config.allow_private, *proxies.hosts))
    limits = _Limits(near=near, max_bytes=config.max_bytes, timeout_s=config.timeout_s)
    redirects: Any = urllib.request.HTTPRedirectHandler()
    redirects.max_redirections = config.max_redirects
    opener = _Opener()
    for handler in (
        _EachHop(proxies),
        urllib.request.ProxyHandler(None if config.use_proxies else {}),
        _Connections(limits, tls_context(config.ca_file)),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
        redirects,
    ):
        opener.add_handler(handler)
    return opener


class _Opener(urllib.request.OpenerDirector):
    def open(self, *args: Any, **kwargs: Any) -> Any:
        try:
            response: Any = super().open(*args, **kwargs)
        except (OSError, ValueError, http.client.HTTPException, FetchError) as error:
            raise ToldError(_classify(error)) from error
        if response is None:
            raise ToldError(FetchError(FetchStatus.BAD_URL, "neither http nor https"))
        if response.status != _HTTP_OK:
            response.close()
            raise ToldError(FetchError(status_of(response.status), f"HTTP {response.status}", response.status))
        return response


class _EachHop(urllib.request.BaseHandler):
    """Refuses URLs of hosts that are known to be private; redirects make new requests."""

    def __init__(self, proxies: Proxies) -> None:
        self._proxies = proxies

    def http_request(self, request: urllib.request.Request) -> urllib.request.Request:
        self._proxies.proxy_for(parse_url(request.full_url))
        return request

    https_request = http_request


@dataclass(frozen=True, kw_only=True, slots=True)
class _Limits:
    near: AddressPolicy
    """Lets the environment's proxies pass, which may be private."""
    max_bytes: int
    timeout_s: float

    def connect(self, address: tuple[str, int], timeout: float, *_: object) -> socket.socket:
        """Connect to the first address of a name that may be connected to and answers."""
        host, port = address
        found = dict.fromkeys(str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        failure: OSError | None = None
        for one in self.near.keep_allowed(host, found):
            try:
                return socket.create_connection((one, port), timeout)
            except OSError as error:
                failure = error
        raise failure or OSError("no address")


class _Connections(urllib.request.HTTPSHandler):
    """Opens connections of both schemes."""

    def __init__(self, limits: _Limits, context: ssl.SSLContext) -> None:
        super().__init__(context=context)
        self._limits = limits
        self._tls = context

    def http_open(self, request: urllib.request.Request) -> Any:
        return self.do_open(partial(self._connection, http.client.HTTPConnection), request)

    def https_open(self, request: urllib.request.Request) -> Any:
        kind = partial(self._connection, http.client.HTTPSConnection)
        return self.do_open(kind, request, context=self._tls)

    http_request = urllib.request.AbstractHTTPHandler.do_request_

    def _connection(self, kind: type[http.client.HTTPConnection], host: str, **options: Any) -> Any:
        connection: Any = kind(host, **options)
        connection._create_connection = self._limits.connect  # noqa: SLF001 - http.client's seam, if an inner one
        connection.response_class = partial(_CappedResponse, limits=self._limits)
        return connection


class _CappedResponse(http.client.HTTPResponse):
    def __init__(self, *args: Any, limits: _Limits, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._limits = limits

    def read(self, amt: int | None = None) -> bytes:
        """Read a whole body within the limits; other reads are of parts."""
        if amt is not None:
            return super().read(amt)
        try:
            return self._read_all()
        except (OSError, ValueError, http.client.HTTPException, FetchError) as error:
            raise ToldError(_classify(error, self.status)) from error

    def _read_all(self) -> bytes:
        limits, parts, num_bytes, announced = self._limits, list[bytes](), 0, self.length
        deadline_s = time.monotonic() + limits.timeout_s
        # One receipt at a time: `read` would wait for all bytes that it was asked for, however slowly they come.
        while num_bytes != announced and (part := super().read1(_CHUNK_BYTES)):
            parts.append(part)
            num_bytes += len(part)
            if num_bytes > limits.max_bytes:
                raise FetchError(FetchStatus.TOO_LARGE, f"more than {limits.max_bytes} bytes")
            if time.monotonic() > deadline_s:
                raise FetchError(FetchStatus.TIMEOUT, f"body not done within {limits.timeout_s:g} s")
        if announced is not None and num_bytes < announced:
            raise http.client.IncompleteRead(b"", announced - num_bytes)
        return b"".join(parts)


def _classify(error: Exception, http_status: int | None = None) -> FetchError:
    if isinstance(error, FetchError):
        return FetchError(error.status, error.detail, error.http_status or http_status)
    if isinstance(error, urllib.error.HTTPError):
        return _of_answer(error)
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, Exception):
        return _classify(error.reason, http_status)
    status = next((status for kind, status in _STATUS_BY_ERROR if isinstance(error, kind)), FetchStatus.PROTOCOL_ERROR)
    return FetchError(status, " ".join(f"{type(error).__name__}: {error}".split())[:300], http_status)


def _of_answer(error: urllib.error.HTTPError) -> FetchError:
    code, text = error.code, " ".join(str(error).split())[:300]
    error.close()
    if code not in _REDIRECTS:
        return FetchError(status_of(code), f"HTTP {code}", code)
    if "not allowed" in text:  # a redirect to another scheme
        return FetchError(FetchStatus.BAD_URL, text, code)
    return FetchError(FetchStatus.TOO_MANY_REDIRECTS if "infinite loop" in text else status_of(code), text, code)
