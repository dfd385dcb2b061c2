"""The closed sets of codes that the ledger counts.

A code is ``where.what``. Every document and every image that does not reach a shard carries exactly one of them.
"""

from enum import StrEnum


class Kind(StrEnum):
    """What a document is; blend weights may name a kind."""

    INTERLEAVED = "interleaved"
    PAIR = "pair"
    TEXT = "text"


class Modality(StrEnum):
    """What an item of a document is."""

    TEXT = "text"
    IMAGE = "image"


class Role(StrEnum):
    """Who speaks a text item of an instruction document."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


class FetchStatus(StrEnum):
    """How a fetch of one URL ended. ``ok`` is the only success."""

    OK = "ok"
    BAD_URL = "bad_url"  # not an absolute http(s) URL
    DNS_ERROR = "dns_error"  # the host name has no address
    FORBIDDEN_ADDRESS = "forbidden_address"  # loopback, private or link-local, on any redirect hop
    CONNECT_ERROR = "connect_error"  # refused, reset, unreachable
    TLS_ERROR = "tls_error"
    TIMEOUT = "timeout"  # the total deadline per URL passed, or the body came too slowly
    TOO_LARGE = "too_large"  # more body than max_bytes
    TRUNCATED_BODY = "truncated_body"  # the connection closed before the announced end
    PROTOCOL_ERROR = "protocol_error"  # malformed HTTP or content encoding
    TOO_MANY_REDIRECTS = "too_many_redirects"
    ROBOTS_DISALLOWED = "robots_disallowed"  # robots.txt forbids it; the URL was not requested
    ROBOTS_UNREACHABLE = "robots_unreachable"  # robots.txt answered 5xx or not at all (RFC 9309, 2.3.1.4)
    OPTED_OUT = "opted_out"  # the site reserves the content from such use: X-Robots-Tag, TDMRep or Content-Usage
    HTTP_4XX = "http_4xx"
    HTTP_404 = "http_404"
    HTTP_410 = "http_410"
    HTTP_429 = "http_429"
    HTTP_5XX = "http_5xx"
    HTTP_OTHER = "http_other"
    EMPTY_BODY = "empty_body"
    NOT_AN_IMAGE = "not_an_image"  # bytes of no image format that is decoded here
    NOT_HTML = "not_html"  # a page URL that answered with something else
    BROKEN_IMAGE = "broken_image"  # truncated or corrupt
    HASH_MISMATCH = "hash_mismatch"  # not the bytes that the source promised
    TOO_MANY_PIXELS = "too_many_pixels"  # over the pixel cap, read from the header before decoding
    MISSING_FILE = "missing_file"  # no such picture in the folder that the recipe declares
    OUTSIDE_ROOT = "outside_root"  # a path that leads out of that folder; it was not opened
    NOT_A_FILE = "not_a_file"  # a folder, pipe or device under the name of a picture
    UNREADABLE_FILE = "unreadable_file"  # the machine or store refuses it
    INTERNAL_ERROR = "internal_error"  # a fault of ours in one item; the detail names it


TRANSIENT_FETCH_STATUSES = frozenset(
    {
        FetchStatus.DNS_ERROR,
        FetchStatus.CONNECT_ERROR,
        FetchStatus.TIMEOUT,
        FetchStatus.TRUNCATED_BODY,
        FetchStatus.ROBOTS_UNREACHABLE,
        FetchStatus.HTTP_429,
        FetchStatus.HTTP_5XX,
    }
)
"""What ``--retry-failed`` tries again."""


class Stage(StrEnum):
    """A stage of the road, in order. Tasks, errors, ``curate status`` and verdicts name it alike."""

    INGEST = "ingest"
    FETCH_PAGES = "fetch_pages"
    PARSE_PAGES = "parse_pages"
    MEASURE_TEXT = "measure_text"
    COUNT_URLS = "count_urls"
    ADMIT = "admit"  # rules on text and URLs: asked before images are fetched, and in DECIDE
    FETCH_IMAGES = "fetch_images"
    MEASURE_IMAGES = "measure_images"
    MEASURE_CLIP = "measure_clip"
    GATHER_FACTS = "gather_facts"  # what DECIDE and the report read, in one narrow table
    PROPOSE = "propose"  # pairs of images that may be copies
    DECIDE = "decide"  # ADMIT, KEEP and DEDUP of a partition in one go
    KEEP = "keep"  # rules on images and whole documents
    DEDUP = "dedup"
    COUNT_TOKENS = "count_tokens"
    BLEND = "blend"
    SPOOL = "spool"
    WRITE_SHARDS = "write_shards"


class IngestReason(StrEnum):
    """Why a record never became a document."""

    MISSING_FILE = "ingest.missing_file"
    UNREADABLE_FILE = "ingest.unreadable_file"  # truncated, wrong format, missing column
    MALFORMED_RECORD = "ingest.malformed_record"  # one line or row that does not parse
    EMPTY_DOCUMENT = "ingest.empty_document"  # nothing in it to train on
    REPEATED_PAGE = "ingest.repeated_page"  # the same page stands earlier in its file


class Reason(StrEnum):
    """Why a document or image that was read is in no shard (beside fetch and ingest reasons)."""

    TEXT_LANGUAGE = "text.language"
    TEXT_WORDS = "text.words"
    TEXT_REPLACEMENT = "text.replacement"
    URL_TOKENS = "url.tokens"
    URL_FREQUENCY = "url.frequency"
    IMAGE_SIZE = "image.size"
    IMAGE_ASPECT = "image.aspect"
    IMAGE_CLIP = "image.clip"
    DOC_IMAGES = "doc.images"
    DOC_REJECTED = "doc.rejected"  # an image whose document was rejected
    DEDUP_EXACT = "dedup.exact"
    DEDUP_COSINE = "dedup.cosine"
    POISON = "engine.poison"  # the document killed its workers and was set aside
    TOO_LARGE = "engine.too_large"  # the document alone is more than a worker's memory can hold, and was set aside
    BLEND_NOT_DRAWN = "blend.not_drawn"  # fit to use, but the blend's weights left no room for it


def fetch_reason(status: FetchStatus) -> str:
    """Return the ledger code of a failed fetch, such as ``fetch.http_404``."""
    return f"fetch.{status}"


ALL_REASONS = frozenset(
    {*(str(r) for r in IngestReason), *(str(r) for r in Reason)}
    | {fetch_reason(s) for s in FetchStatus if s is not FetchStatus.OK}
)
