"""A transport without a network: answers by URL, in the order given."""

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping

from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from curate.contract.reasons import FetchStatus
from curate.fetch.errors import FetchError


class FakeResponse:
    """An answer made beforehand."""

    def __init__(
        self,
        body: bytes = b"",
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        chunk_bytes: int = 1 << 16,
    ) -> None:
        self.status = status
        self.headers: CIMultiDictProxy[str] = CIMultiDictProxy(CIMultiDict(headers or {}))
        self.tls_fault: str | None = None
        self.closed = False
        self._body = body
        self._chunk_bytes = chunk_bytes

    async def chunks(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._body), self._chunk_bytes):
            yield self._body[start : start + self._chunk_bytes]

    def close(self) -> None:
        self.closed = True


class FakeTransport:
    """Gives each URL its answers in turn, the last one again and again; unknown URLs are 404."""

    def __init__(self, answers: Mapping[str, list[FakeResponse | FetchError]]) -> None:
        self._answers = answers
        self.requested: list[str] = []
        self.headers: list[Mapping[str, str]] = []
        self.closed = False
        self._turns: defaultdict[str, int] = defaultdict(int)

    async def request(self, url: URL, headers: Mapping[str, str]) -> FakeResponse:
        text = str(url)
        self.requested.append(text)
        self.headers.append(headers)
        answers = self._answers.get(text, [FakeResponse(status=404)])
        answer = answers[min(self._turns[text], len(answers) - 1)]
        self._turns[text] += 1
        if isinstance(answer, FetchError):
            raise answer
        return answer

    async def close(self) -> None:
        self.closed = True


def refused() -> FetchError:
    """Return the error of a port that nobody listens on."""
    return FetchError(FetchStatus.CONNECT_ERROR, "refused")
