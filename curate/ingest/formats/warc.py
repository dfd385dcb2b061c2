"""Documents of a WARC source: pages whose HTML is there already."""

from curate.contract.reasons import Kind
from curate.contract.records import Document
from curate.ingest.files.warc import ArchivedPage
from curate.ingest.origins import public_label


def page_document(page: ArchivedPage) -> Document:
    """Return the document of an archived page, with where it was archived; its items come from its HTML later."""
    found = {"date": page.date, "digest": page.digest, "record_id": page.record_id}
    meta = {
        "warc": {
            "file": public_label(page.place.label),
            **{name: value for name, value in found.items() if value is not None},
        }
    }
    return Document(native_id=page.url, ordinal=page.place.ordinal, kind=Kind.INTERLEAVED, url=page.url, meta=meta)
