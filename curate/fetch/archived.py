"""Pages that were fetched long ago -> the PAGES table: judged as if they were answered now, no network."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
from multidict import CIMultiDict, CIMultiDictProxy

from curate.contract.reasons import FetchStatus
from curate.contract.schemas import PAGES, table_from_rows
from curate.fetch.client import Body
from curate.fetch.config import FetchConfig
from curate.fetch.errors import FetchError
from curate.fetch.network.answers import SUCCESS, status_of
from curate.fetch.optouts.headers import Checks, check_headers
from curate.fetch.pages import check_type, page_row
from curate.fetch.session import FetchRow


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a server once answered."""

    doc_id: str
    url: str
    http_status: int
    headers: Sequence[tuple[str, str]]
    body: bytes
    """Encodings undone."""


def archived_pages(answers: Sequence[Answer], *, config: FetchConfig) -> pa.Table:
    """Judge archived answers by status, type and opt-outs in headers and pages.

    Args:
        answers: N of them.
        config: Which opt-outs are obeyed, and how large a page may be.

    Returns:
        PAGES, N rows in their order.
    """
    rows = [{"doc_id": one.doc_id, "url": one.url} | _judge(one, config) for one in answers]
    return table_from_rows(rows, PAGES)


def _judge(answer: Answer, config: FetchConfig) -> FetchRow:
    checks, headers = Checks(), CIMultiDictProxy(CIMultiDict(answer.headers))
    try:
        _check_answer(answer, config)
        check_headers(headers, status=answer.http_status, config=config, checks=checks)
        check_type(headers)
        body = Body(data=answer.body, http_status=answer.http_status, final_url=answer.url, headers=headers)
        return page_row(body, config=config, checks=checks)
    except FetchError as error:
        return checks.to_row() | {"status": error.status, "http_status": error.http_status, "detail": error.detail}


def _check_answer(answer: Answer, config: FetchConfig) -> None:
    code = answer.http_status
    if code not in SUCCESS:
        raise FetchError(status_of(code), f"HTTP {code} when it was archived", code)
    if not answer.body:
        raise FetchError(FetchStatus.EMPTY_BODY, "no body in the archive", code)
    if len(answer.body) > config.max_bytes:
        raise FetchError(FetchStatus.TOO_LARGE, f"more than {config.max_bytes} bytes", code)
