"""How one URL fails: the exception that every layer of the fetch stage speaks."""

from curate.contract.reasons import FetchStatus


class FetchError(Exception):
    """One URL cannot be had; it becomes a row, never a crash."""

    def __init__(
        self,
        status: FetchStatus,
        detail: str,
        http_status: int | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(status, detail, http_status, retry_after_s)
        self.status = status
        self.detail = detail
        self.http_status = http_status
        self.retry_after_s = retry_after_s


class HostGivenUpError(FetchError):
    """The URL was not requested, because its host is dead or wants to be left alone; trying again is no use."""
