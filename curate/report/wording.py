"""Reason codes in words, for people who read the report."""

from curate.contract.reasons import FetchStatus, IngestReason, Reason, fetch_reason

_FETCH_WORDS = {
    FetchStatus.BAD_URL: "not an absolute http(s) address",
    FetchStatus.DNS_ERROR: "the host name has no address",
    FetchStatus.FORBIDDEN_ADDRESS: "the address is private, which is not allowed",
    FetchStatus.CONNECT_ERROR: "no connection to the host",
    FetchStatus.TLS_ERROR: "the encrypted connection failed",
    FetchStatus.TIMEOUT: "not finished within the time limit",
    FetchStatus.TOO_LARGE: "larger than the byte limit",
    FetchStatus.TRUNCATED_BODY: "the connection closed before the end",
    FetchStatus.HASH_MISMATCH: "other bytes than its source promised",
    FetchStatus.PROTOCOL_ERROR: "malformed HTTP",
    FetchStatus.TOO_MANY_REDIRECTS: "too many redirects",
    FetchStatus.ROBOTS_DISALLOWED: "robots.txt forbids it; it was not requested",
    FetchStatus.ROBOTS_UNREACHABLE: "robots.txt could not be read",
    FetchStatus.OPTED_OUT: "a response header reserves the content",
    FetchStatus.HTTP_4XX: "refused by the server",
    FetchStatus.HTTP_404: "not found",
    FetchStatus.HTTP_410: "gone",
    FetchStatus.HTTP_429: "the server asked for fewer requests",
    FetchStatus.HTTP_5XX: "the server failed",
    FetchStatus.HTTP_OTHER: "an unexpected HTTP answer",
    FetchStatus.EMPTY_BODY: "an empty answer",
    FetchStatus.NOT_AN_IMAGE: "the bytes are no image",
    FetchStatus.NOT_HTML: "the page is not HTML",
    FetchStatus.BROKEN_IMAGE: "a truncated or corrupt image",
    FetchStatus.TOO_MANY_PIXELS: "more pixels than the limit",
    FetchStatus.MISSING_FILE: "not in the folder of its source",
    FetchStatus.OUTSIDE_ROOT: "a path that leads out of its source's folder; it was not opened",
    FetchStatus.NOT_A_FILE: "a folder, pipe or device, not a file",
    FetchStatus.UNREADABLE_FILE: "the file cannot be read",
    FetchStatus.INTERNAL_ERROR: "a fault of the pipeline itself",
}

REASON_WORDS: dict[str, str] = {
    IngestReason.MISSING_FILE: "the source file is missing",
    IngestReason.UNREADABLE_FILE: "the source file cannot be read",
    IngestReason.MALFORMED_RECORD: "the record does not parse",
    IngestReason.EMPTY_DOCUMENT: "nothing in it to train on",
    IngestReason.REPEATED_PAGE: "the same page stands earlier in its file",
    Reason.TEXT_LANGUAGE: "not in an allowed language, or not surely so",
    Reason.TEXT_WORDS: "too few or too many words",
    Reason.TEXT_REPLACEMENT: "too many characters that could not be read in its encoding",
    Reason.URL_TOKENS: "the address names a logo, icon or the like",
    Reason.URL_FREQUENCY: "the same address occurs too often",
    Reason.IMAGE_SIZE: "too small or too large",
    Reason.IMAGE_ASPECT: "too elongated",
    Reason.IMAGE_CLIP: "no sentence is similar enough",
    Reason.DOC_IMAGES: "too few or too many images left",
    Reason.DOC_REJECTED: "its document was rejected",
    Reason.DEDUP_EXACT: "the same bytes occur earlier",
    Reason.DEDUP_COSINE: "nearly the same image occurs earlier",
    Reason.POISON: "it killed its workers and was set aside",
    Reason.TOO_LARGE: "it alone is more than a worker's memory can hold",
    Reason.BLEND_NOT_DRAWN: "fit to use, but the blend had no room for it",
    **{fetch_reason(status): words for status, words in _FETCH_WORDS.items()},
}


def describe(reason: str) -> str:
    """Return a reason code in words; a code without any stands for itself."""
    return REASON_WORDS.get(reason, reason.replace("_", " ").replace(".", ": "))


def describe_status(status: str) -> str:
    """Return a fetch status in words."""
    return "fetched and decoded" if status == FetchStatus.OK else describe(f"fetch.{status}")
