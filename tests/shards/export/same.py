"""What an export read again must have in common with the shards: texts, their order, image URLs and alt texts."""

from curate.contract.records import Document, Fault
from shards.sample import Sample, SampleText

Content = tuple[str | None, list[tuple[str, str | None, str | None]]]


def as_written(sample: Sample) -> Content:
    """Return (URL, items) of a sample, without images that have no URL."""
    items = [
        ("text", item.text, None) if isinstance(item, SampleText) else ("image", item.url, item.alt)
        for item in sample.items
        if isinstance(item, SampleText) or item.url
    ]
    return sample.url, items


def as_read(document: Document | Fault) -> Content:
    """Return (URL, items) of a document."""
    assert isinstance(document, Document), document.detail
    return document.url, [(str(item.modality), item.text or item.image_url, item.alt_text) for item in document.items]
