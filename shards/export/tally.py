"""What an export read, wrote, and could not say in the foreign format: nothing is left out without a number."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(kw_only=True, slots=True)
class Tally:
    """Counters of one export.

    Every document and every image read is either written or left out under one reason, so the numbers add up:
    ``num_documents == num_documents_written + sum(documents_left_out.values())``, and the same for images.
    """

    num_documents: int = 0
    """Samples read."""
    num_images: int = 0
    """Images of these samples."""
    num_documents_written: int = 0
    num_images_written: int = 0
    num_records: int = 0
    """Records of the foreign format; a document of several images may become several pairs."""
    documents_left_out: Counter[str] = field(default_factory=Counter)
    """Reason -> documents of which no record was made."""
    images_left_out: Counter[str] = field(default_factory=Counter)
    """Reason -> images that are in no record; those of documents left out are counted under the document's reason."""
    changes: Counter[str] = field(default_factory=Counter)
    """What was written in another form than the shards hold it -> how often."""

    def read(self, record: Mapping[str, Any]) -> None:
        """Count a sample that was read."""
        self.num_documents += 1
        self.num_images += count_images(record)

    def write(self, *, num_images: int, num_records: int = 1) -> None:
        """Count a document that was written."""
        self.num_documents_written += 1
        self.num_images_written += num_images
        self.num_records += num_records

    def leave_out(self, record: Mapping[str, Any], reason: str) -> None:
        """Count a document that the format cannot express, and its images."""
        self.documents_left_out[reason] += 1
        self.leave_out_images(count_images(record), reason)

    def leave_out_images(self, number: int, reason: str) -> None:
        """Count images that the format cannot express in a document that it can."""
        if number:
            self.images_left_out[reason] += number

    def change(self, number: int, what: str) -> None:
        """Count what was written in another form."""
        if number:
            self.changes[what] += number

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values, in a fixed order."""
        return {
            "documents": {
                "read": self.num_documents,
                "written": self.num_documents_written,
                "left_out": dict(sorted(self.documents_left_out.items())),
            },
            "images": {
                "read": self.num_images,
                "written": self.num_images_written,
                "left_out": dict(sorted(self.images_left_out.items())),
            },
            "records": self.num_records,
            "changes": dict(sorted(self.changes.items())),
        }

    def describe(self) -> list[str]:
        """Return lines for a person: totals first, then each reason and change with its number."""
        written = f"{self.num_documents_written:,} of {self.num_documents:,} documents"
        images = f"{self.num_images_written:,} of {self.num_images:,} images"
        lines = [f"{written} and {images} in {self.num_records:,} records"]
        left_out = (("documents", self.documents_left_out), ("images", self.images_left_out))
        for unit, counts in left_out:
            lines += [f"  left out: {number:,} {unit}: {reason}" for reason, number in sorted(counts.items())]
        return lines + [f"  note: {number:,} {what}" for what, number in sorted(self.changes.items())]


def count_images(record: Mapping[str, Any]) -> int:
    """Return the number of image items of a sample's record."""
    return sum(item["type"] == "image" for item in record["items"])
