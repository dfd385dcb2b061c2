"""The seam between the fetch stage and the network: tests and other clients go in here."""

from collections.abc import AsyncIterator, Mapping
from typing import Protocol

from multidict import CIMultiDictProxy
from yarl import URL


class Response(Protocol):
    """An answer whose headers have arrived and whose body has not been read."""

    @property
    def status(self) -> int:
        """HTTP status code."""

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """Headers; names are case-insensitive and may repeat."""

    @property
    def tls_fault(self) -> str | None:
        """Why the server's certificate could not be verified, if it was taken nevertheless."""

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it arrives, still content-encoded.

        Raises:
            FetchError: The body cannot be had.
        """

    def close(self) -> None:
        """Give the connection back, or drop it if the body was not read to its end."""


class Transport(Protocol):
    """Sends one GET request; knows nothing of redirects, retries or limits."""

    async def request(self, url: URL, headers: Mapping[str, str]) -> Response:
        """Send GET and return once the headers are in. Only permitted addresses are connected to.

        Raises:
            FetchError: There is no answer.
        """

    async def close(self) -> None:
        """Close every connection."""
