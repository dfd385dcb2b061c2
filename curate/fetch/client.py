"""One URL from its text to its bytes: checks, redirects, attempts. All network behaviour meets here."""

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from multidict import CIMultiDictProxy
from yarl import URL

from curate.contract.reasons import FetchStatus
from curate.fetch.answers import check_opt_out, check_status, redirect_location
from curate.fetch.body import ACCEPT_ENCODING, content_length, read_body
from curate.fetch.config import FetchConfig, user_agent
from curate.fetch.errors import FetchError
from curate.fetch.gates import ByteGate, ByteLease, Clock, HostGates
from curate.fetch.retry import backoff_delay_s, is_retried
from curate.fetch.robots import MAX_ROBOTS_BYTES, MAX_ROBOTS_REDIRECTS, Robots, RulesStore
from curate.fetch.transport import Response, Transport
from curate.fetch.urls import join_redirect, parse_url

UNKNOWN_BODY_BYTES = 1 << 20
"""What a body of unannounced length is taken to need until it has been read."""

HeadersCheck = Callable[[CIMultiDictProxy[str]], None]
"""Raises FetchError for an answer whose body is not worth reading."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Body:
    """A successful answer."""

    data: bytes
    http_status: int
    final_url: str
    headers: CIMultiDictProxy[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Job:
    """The limits under which one URL is fetched, and the time and memory it holds."""

    accept: str
    max_bytes: int
    max_redirects: int
    clock: Clock
    lease: ByteLease
    is_robots_txt: bool = False
    check_headers: HeadersCheck | None = None


class Client:
    """Fetches URLs within the limits of a config. One per event loop; the caller closes the transport."""

    def __init__(self, transport: Transport, *, config: FetchConfig, rules: RulesStore) -> None:
        self._transport = transport
        self._config = config
        self._gates = HostGates(per_host=config.per_host, total=config.concurrency)
        self._bytes = ByteGate(config.max_bytes_in_flight)
        self._robots = Robots(self._fetch_robots, store=rules)
        self._agent = user_agent(config)
        self._rng = random.Random()

    @asynccontextmanager
    async def fetch(self, url: str, *, accept: str, check_headers: HeadersCheck | None = None) -> AsyncIterator[Body]:
        """Fetch one URL and hold its share of the bytes in flight until the block ends.

        Args:
            url: As found in a source.
            accept: The Accept header.
            check_headers: Looks at a successful answer before its body is read.

        Raises:
            FetchError: There is no such body.
        """
        job = replace(self._new_job(), accept=accept, check_headers=check_headers)
        try:
            yield await self._fetch_with_retries(parse_url(url), job)
        finally:
            await job.lease.release()

    def _new_job(self) -> _Job:
        config = self._config
        return _Job(
            accept="*/*",
            max_bytes=config.max_bytes,
            max_redirects=config.max_redirects,
            clock=Clock(timeout_s=config.timeout_s, max_wait_s=config.max_wait_s),
            lease=ByteLease(self._bytes),
        )

    async def _fetch_robots(self, url: URL) -> bytes:
        job = replace(
            self._new_job(),
            max_bytes=min(MAX_ROBOTS_BYTES, self._config.max_bytes_in_flight),
            max_redirects=MAX_ROBOTS_REDIRECTS,
            is_robots_txt=True,
        )
        try:
            return (await self._fetch_with_retries(url, job)).data
        finally:
            await job.lease.release()

    async def _fetch_with_retries(self, url: URL, job: _Job) -> Body:
        for attempt in range(self._config.retries + 1):
            try:
                return await self._follow(url, job)
            except FetchError as error:
                delay_s = backoff_delay_s(
                    attempt, base_s=self._config.backoff_s, retry_after_s=error.retry_after_s, rng=self._rng
                )
                # Sooner than a host has asked for is worse than not at all.
                out_of_time = job.clock.expired or (error.retry_after_s or 0.0) > job.clock.wait_left_s
                if attempt == self._config.retries or out_of_time or not is_retried(error):
                    raise
                await job.lease.release()
                await job.clock.wait(min(delay_s, job.clock.wait_left_s))
        raise AssertionError("the last attempt returns or raises")

    async def _follow(self, url: URL, job: _Job) -> Body:
        """Request a URL and what it redirects to, one hop after the other, each checked like the first."""
        seen = set[URL]()
        http_status: int | None = None
        while len(seen) <= job.max_redirects and url not in seen:
            seen.add(url)
            if self._config.respect_robots and not job.is_robots_txt:
                await self._robots.check(url)
            answer = await self._exchange(url, job)
            if isinstance(answer, Body):
                return answer
            http_status, location = answer
            try:
                url = join_redirect(url, location)
            except FetchError as error:
                raise FetchError(error.status, f"redirect: {error.detail}", http_status) from error
        text = "redirects in a circle" if url in seen else f"more than {job.max_redirects} redirects"
        raise FetchError(FetchStatus.TOO_MANY_REDIRECTS, text, http_status)

    async def _exchange(self, url: URL, job: _Job) -> Body | tuple[int, str]:
        """Send one request; return its body, or a redirect's status and location."""
        headers = {"User-Agent": self._agent, "Accept": job.accept, "Accept-Encoding": ACCEPT_ENCODING}
        async with self._gates.slot(url.host or ""):
            async with job.clock.running():
                response = await self._transport.request(url, headers)
            try:
                location = redirect_location(response)
                if location is not None:
                    return response.status, location
                return await self._read(url, response, job)
            except FetchError as error:
                raise FetchError(
                    error.status, error.detail, error.http_status or response.status, error.retry_after_s
                ) from error
            finally:
                response.close()

    async def _read(self, url: URL, response: Response, job: _Job) -> Body:
        check_status(response)
        if self._config.respect_x_robots and not job.is_robots_txt:
            check_opt_out(response.headers, status=response.status)
        if job.check_headers is not None:
            job.check_headers(response.headers)
        announced = content_length(response.headers)
        await job.lease.reserve(min(UNKNOWN_BODY_BYTES if announced is None else announced, job.max_bytes))
        async with job.clock.running():
            data = await read_body(response, max_bytes=job.max_bytes, keep_prefix=job.is_robots_txt)
        await job.lease.settle(len(data))
        if not data:
            raise FetchError(FetchStatus.EMPTY_BODY, "no bytes", response.status)
        return Body(data=data, http_status=response.status, final_url=str(url), headers=response.headers)
