"""One URL from its text to its bytes: checks, redirects, attempts. All network behaviour meets here."""

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from multidict import CIMultiDictProxy
from yarl import URL

from curate.contract.reasons import FetchStatus
from curate.fetch.config import FetchConfig, user_agent
from curate.fetch.errors import FetchError
from curate.fetch.memory import Memory
from curate.fetch.network.answers import check_status, redirect_location
from curate.fetch.network.body import OutgrownError, Pace, content_length, read_body
from curate.fetch.network.codings import ACCEPT_ENCODING
from curate.fetch.network.transport import Response, Transport
from curate.fetch.optouts.headers import Checks, check_headers
from curate.fetch.optouts.robots import MAX_ROBOTS_BYTES, MAX_ROBOTS_REDIRECTS, Robots
from curate.fetch.optouts.tdmrep import Reservations
from curate.fetch.politeness.host_gates import HostGates, HostTurn
from curate.fetch.politeness.hosts import HostLimits, host_key
from curate.fetch.politeness.limits import ByteLease, Clock
from curate.fetch.politeness.retry import asks_to_come_back, backoff_delay_s, is_retried
from curate.fetch.politeness.slots import HostSlots
from curate.fetch.referer import referer
from curate.fetch.urls import join_redirect, parse_url

UNKNOWN_BODY_BYTES = 1 << 18
"""What a body is taken to need until its length is announced or read; most images and pages are smaller."""

HeadersCheck = Callable[[CIMultiDictProxy[str]], None]
"""Raises FetchError for an answer whose body is not worth reading."""

Refresh = Callable[[bytes], str | None]
"""Returns where a body sends its reader on to, if it does."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Body:
    """A successful answer."""

    data: bytes
    http_status: int
    final_url: str
    headers: CIMultiDictProxy[str]
    tls_fault: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Job:
    """The limits under which one URL is fetched, the time and memory it holds, and what was found out about it."""

    accept: str
    max_bytes: int
    max_redirects: int
    clock: Clock
    lease: ByteLease
    checks: Checks
    retries: int
    least_bytes: int = 0
    """What the body is known to need: an earlier attempt has outgrown what was announced."""
    is_rules_file: bool = False
    """robots.txt or tdmrep.json: bound by no rules, and its beginning is enough."""
    check_headers: HeadersCheck | None = None
    refresh: Refresh | None = None
    page_url: str | None = None


class FetchClient:
    """Fetches URLs within the limits of a config. One per event loop; the caller closes the transport."""

    def __init__(self, transport: Transport, *, config: FetchConfig, memory: Memory, slots: HostSlots) -> None:
        self._transport = transport
        self._config = config
        limits = HostLimits(
            per_host=config.per_host,
            max_wait_s=config.max_wait_s,
            dead_after=config.dead_after,
            dead_for_s=config.dead_for_s,
        )
        requests = memory.gates.get("requests", config.concurrency)
        self._gates = HostGates(limits=limits, requests=requests, book=memory.hosts, slots=slots)
        self._bytes = memory.gates.get("bytes", config.max_bytes_in_flight)
        self.decodes = memory.gates.get("decodes", config.decode_threads)
        """Of all calls of this process."""
        self._robots = Robots(self._fetch_robots, config=config, store=memory.rules)
        self._reservations = Reservations(self._fetch_tdmrep, store=memory.reservations)
        self._agent = user_agent(config)
        self._pace = Pace(min_bytes=int(config.min_bytes_per_s * config.slow_window_s), window_s=config.slow_window_s)
        self._rng = random.Random()

    @asynccontextmanager
    async def fetch(
        self,
        url: str,
        *,
        accept: str,
        checks: Checks,
        check_headers: HeadersCheck | None = None,
        refresh: Refresh | None = None,
        page_url: str | None = None,
    ) -> AsyncIterator[Body]:
        """Fetch one URL and hold its share of the bytes in flight until the block ends.

        Args:
            url: As found in a source.
            accept: The Accept header.
            checks: Takes down what the site says about the use of its content, also if the fetch fails.
            check_headers: Looks at a successful answer before its body is read.
            refresh: Looks into the body for one more redirect.
            page_url: Where the URL was found.

        Raises:
            FetchError: There is no such body.
        """
        job = replace(
            self._new_job(),
            accept=accept,
            checks=checks,
            check_headers=check_headers,
            refresh=refresh,
            page_url=page_url if self._config.send_referer else None,
        )
        try:
            yield await self._fetch_with_retries(parse_url(url), job)
        finally:
            job.lease.release()

    def _new_job(self) -> _Job:
        config = self._config
        return _Job(
            accept="*/*",
            max_bytes=config.max_bytes,
            max_redirects=config.max_redirects,
            clock=Clock(timeout_s=config.timeout_s, max_wait_s=config.max_wait_s),
            lease=ByteLease(self._bytes),
            checks=Checks(),
            retries=config.retries,
        )

    async def _fetch_robots(self, url: URL) -> bytes:
        return await self._fetch_rules_file(url, retries=self._config.retries)

    async def _fetch_tdmrep(self, url: URL) -> bytes:
        return await self._fetch_rules_file(url, retries=0)

    async def _fetch_rules_file(self, url: URL, *, retries: int) -> bytes:
        job = replace(
            self._new_job(),
            max_bytes=min(MAX_ROBOTS_BYTES, self._config.max_bytes_in_flight),
            max_redirects=MAX_ROBOTS_REDIRECTS,
            retries=retries,
            is_rules_file=True,
        )
        try:
            return (await self._fetch_with_retries(url, job)).data
        finally:
            job.lease.release()

    async def _fetch_with_retries(self, url: URL, job: _Job) -> Body:
        num_faults = num_refusals = 0
        while True:
            try:
                return await self._follow(url, job, first=num_faults + num_refusals > 0)
            except OutgrownError:
                job, delay_s = replace(job, least_bytes=job.max_bytes), 0.0
            except FetchError as error:
                if asks_to_come_back(error):
                    num_refusals += 1
                else:
                    num_faults += 1
                # Sooner than a host has asked for is worse than not at all.
                out_of_time = job.clock.expired or (error.retry_after_s or 0.0) > job.clock.wait_left_s
                out_of_tries = num_faults > job.retries or num_refusals > self._config.max_refusals
                if out_of_time or out_of_tries or not is_retried(error):
                    raise
                delay_s = backoff_delay_s(
                    num_faults + num_refusals - 1,
                    base_s=self._config.backoff_s,
                    retry_after_s=error.retry_after_s,
                    rng=self._rng,
                )
            job.lease.release()
            await job.clock.wait(min(delay_s, job.clock.wait_left_s))

    async def _follow(self, url: URL, job: _Job, *, first: bool) -> Body:
        """Request a URL and what it redirects to, one hop after the other, each checked like the first."""
        seen = set[URL]()
        http_status: int | None = None
        refresh = job.refresh
        while len(seen) <= job.max_redirects and url not in seen:
            seen.add(url)
            if not job.is_rules_file:
                await self._robots.check(url, job.checks)
                if self._config.respect_tdmrep:
                    await self._reservations.check(url, job.checks)
            answer = await self._exchange(url, job, first=first)
            if isinstance(answer, Body):
                target = _refreshed(answer, url, refresh)
                if target is None or target in seen:
                    return answer
                job.lease.release()
                url, http_status, refresh = target, answer.http_status, None
                continue
            http_status, location = answer
            try:
                url = join_redirect(url, location)
            except FetchError as error:
                raise FetchError(error.status, f"redirect: {error.detail}", http_status) from error
        text = "redirects in a circle" if url in seen else f"more than {job.max_redirects} redirects"
        raise FetchError(FetchStatus.TOO_MANY_REDIRECTS, text, http_status)

    async def _exchange(self, url: URL, job: _Job, *, first: bool) -> Body | tuple[int, str]:
        """Send one request; return its body, or a redirect's status and location."""
        async with self._gates.turn(host_key(url), first=first) as turn:
            # Before the request: bytes that have come count, whether they have been read or not.
            await job.lease.reserve(min(max(UNKNOWN_BODY_BYTES, job.least_bytes), job.max_bytes))
            response = await self._request(url, job, turn)
            try:
                return await self._receive(url, response, job, turn)
            except FetchError as error:
                raise FetchError(
                    error.status, error.detail, error.http_status or response.status, error.retry_after_s
                ) from error
            finally:
                response.close()

    async def _request(self, url: URL, job: _Job, turn: HostTurn) -> Response:
        headers = {"User-Agent": self._agent, "Accept": job.accept, "Accept-Encoding": ACCEPT_ENCODING}
        found_on = referer(job.page_url, url)
        if found_on is not None:
            headers["Referer"] = found_on
        if turn.is_last and not job.is_rules_file:
            headers["Connection"] = "close"
        try:
            async with job.clock.running():
                return await self._transport.request(url, headers)
        except FetchError as error:
            turn.failed(error, was_answered=False)
            raise

    async def _receive(self, url: URL, response: Response, job: _Job, turn: HostTurn) -> Body | tuple[int, str]:
        try:
            location = redirect_location(response)
            if location is None:
                check_status(response)
        except FetchError as error:
            turn.answered(error)
            raise
        turn.answered(None)
        if location is not None:
            job.lease.release()
            return response.status, location
        try:
            return await self._read(url, response, job)
        except FetchError as error:
            turn.failed(error, was_answered=True)
            raise

    async def _read(self, url: URL, response: Response, job: _Job) -> Body:
        if not job.is_rules_file:
            check_headers(response.headers, status=response.status, config=self._config, checks=job.checks)
        if job.check_headers is not None:
            job.check_headers(response.headers)
        announced = content_length(response.headers)
        needed = min(max(UNKNOWN_BODY_BYTES if announced is None else announced, job.least_bytes), job.max_bytes)
        if not job.lease.try_grow(needed):
            await job.lease.reserve(needed)
        job.lease.settle(needed)
        async with job.clock.running():
            data = await read_body(
                response,
                max_bytes=job.max_bytes,
                try_grow=job.lease.try_grow,
                keep_prefix=job.is_rules_file,
                pace=self._pace,
            )
        job.lease.settle(len(data))
        if not data:
            raise FetchError(FetchStatus.EMPTY_BODY, "no bytes", response.status)
        return Body(
            data=data,
            http_status=response.status,
            final_url=str(url),
            headers=response.headers,
            tls_fault=response.tls_fault,
        )


def _refreshed(body: Body, url: URL, refresh: Refresh | None) -> URL | None:
    """Return the URL that a body sends its reader on to; one that cannot be requested is no reason to lose the body."""
    location = refresh(body.data) if refresh is not None else None
    try:
        return None if location is None else join_redirect(url, location)
    except FetchError:
        return None
