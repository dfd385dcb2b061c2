"""A look into the files of a recipe before anything runs: how many records, of how many hosts, with which faults."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from urllib.parse import urlsplit

from curate.contract.records import Document, Fault
from curate.ingest.readers import read_file
from pipelines.stages.ingest import InputFile

MAX_RECORDS = 1000
"""That are looked at in each file: one of a hundred million would take hours."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Preview:
    """Of the beginning of one file, or of all of it."""

    num_documents: int
    num_images: int
    faults: tuple[str, ...]
    hosts: Counter[str]
    """That would be asked, by the number of their URLs."""
    is_whole: bool
    """Whether the file has no more records than were looked at."""


def preview_file(file: InputFile, *, max_records: int = MAX_RECORDS) -> Preview:
    """Look at the first records of a file."""
    records = iter(read_file(file.path, source=file.source, label=file.label))
    looked_at = list(islice(records, max_records))
    documents = [record for record in looked_at if isinstance(record, Document)]
    urls = [item.image_url for document in documents for item in document.items if item.image_url]
    pages = [document.url for document in documents if file.source.type == "pages" and document.url]
    return Preview(
        num_documents=len(documents),
        num_images=len(urls),
        faults=tuple(record.detail for record in looked_at if isinstance(record, Fault)),
        hosts=Counter(_hosts([*urls, *pages])),
        is_whole=next(records, None) is None,
    )


def _hosts(urls: Iterable[str]) -> list[str]:
    found = []
    for url in urls:
        try:
            found.append(urlsplit(url).hostname or "")
        except ValueError:
            found.append("")
    return [host for host in found if host]
