"""Pages that were fetched long ago -> the PAGES table: judged as if they were answered now, no network."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa
from multidict import CIMultiDict, CIMultiDictProxy

from curate.contract.reasons import FetchStatus
from curate.contract.schemas import PAGES, table_from_rows
from curate.fetch.client import Body
from curate.fetch.config import FetchConfig
from curate.fetch.errors import FetchError
from curate.fetch.network.answers import SUCCESS, status_of
from curate.fetch.network.codings import decoder_for
from curate.fetch.optouts.headers import Checks, check_headers
from curate.fetch.outbox import FetchRow
from curate.fetch.pages import check_type, page_row

_MAX_DATE_CHARS = 64
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r\n")


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a server once answered."""

    doc_id: str
    url: str
    http_status: int
    headers: Sequence[tuple[str, str]]
    body: bytes
    """As it was sent."""
    date: str | None = None
    """When, by ISO 8601 (WARC-Date)."""


def archived_pages(answers: Sequence[Answer], *, config: FetchConfig) -> pa.Table:
    """Judge archived answers by status, type and opt-outs in headers and pages.

    Args:
        answers: N of them.
        config: Which opt-outs are obeyed, and how large a page may be.

    Returns:
        PAGES, N rows in their order.
    """
    rows = [
        {"doc_id": one.doc_id, "url": one.url} | _judge(one, config) | {"fetched_at": _read_date(one.date)}
        for one in answers
    ]
    return table_from_rows(rows, PAGES)


def _read_date(date: str | None) -> datetime | None:
    """Return a date to the second; None where it is none, for the time of reading an archive is no time of a fetch."""
    try:
        read = None if date is None else datetime.fromisoformat(date.strip()[:_MAX_DATE_CHARS])
        in_utc = None if read is None else read.replace(tzinfo=read.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return None if in_utc is None else in_utc.replace(microsecond=0)


def _judge(answer: Answer, config: FetchConfig) -> FetchRow:
    checks, headers = Checks(), CIMultiDictProxy(CIMultiDict(answer.headers))
    try:
        _check_answer(answer)
        check_headers(headers, status=answer.http_status, config=config, checks=checks)
        check_type(headers)
        data = _decoded(answer.body, headers, max_bytes=config.max_bytes)
        body = Body(data=data, http_status=answer.http_status, final_url=answer.url, headers=headers)
        return page_row(body, config=config, checks=checks)
    except FetchError as error:
        return checks.to_row() | {"status": error.status, "http_status": error.http_status, "detail": error.detail}


def _check_answer(answer: Answer) -> None:
    code = answer.http_status
    if code not in SUCCESS:
        raise FetchError(status_of(code), f"HTTP {code} when it was archived", code)
    if not answer.body:
        raise FetchError(FetchStatus.EMPTY_BODY, "no body in the archive", code)


def _decoded(body: bytes, headers: CIMultiDictProxy[str], *, max_bytes: int) -> bytes:
    """Undo what the answer's bytes show to be coded; archives keep the labels of what they have undone themselves.

    Raises:
        FetchError: TOO_LARGE, or PROTOCOL_ERROR where a coding has no end.
    """
    if "chunked" in headers.get("Transfer-Encoding", "").lower():
        body = _joined(body)
    decoder = decoder_for(headers)
    data = decoder.decode(body, max_bytes + 1)
    if len(data) <= max_bytes:
        data += decoder.finish(max_bytes + 1 - len(data))
    if len(data) > max_bytes:
        raise FetchError(FetchStatus.TOO_LARGE, f"more than {max_bytes} bytes")
    return data


def _joined(body: bytes) -> bytes:
    """Return the content of chunks (RFC 9112, 7.1); what does not begin as a chunk has been joined already.

    Raises:
        FetchError: TRUNCATED_BODY, the last chunk is missing.
    """
    parts, at = list[bytes](), 0
    while size_line := _CHUNK_SIZE.match(body, at):
        size = int(size_line[1], 16)
        if size == 0:
            return b"".join(parts)
        parts.append(body[size_line.end() : size_line.end() + size])
        at = size_line.end() + size + len(b"\r\n")
    if not parts:
        return body
    raise FetchError(FetchStatus.TRUNCATED_BODY, "the last chunk is missing")
