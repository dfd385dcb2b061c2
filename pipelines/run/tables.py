"""The tables of a run folder: what each holds, where it lies, which stage makes it."""

from dataclasses import dataclass

import pyarrow as pa

from curate.contract import schemas
from curate.contract.reasons import Stage


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A table: one Parquet file of the run, or one per partition (or shard set) in a folder."""

    place: str
    """Below the run folder: of the file without its ending, or of the folder."""
    schema: pa.Schema
    stage: Stage
    """Which makes it."""
    version: int = 1
    """Raised when the same inputs give other rows: what is there is then made anew."""

    @property
    def name(self) -> str:
        """The last part of its place."""
        return self.place.rpartition("/")[2]

    def path(self, of: str | None) -> str:
        """Return where the table of a partition (or shard set) lies below the run folder; None: the run's one."""
        return f"{self.place}.parquet" if of is None else f"{self.place}/{of}.parquet"


DOCUMENTS = Table(place="ingest/documents", schema=schemas.DOCUMENTS, stage=Stage.INGEST, version=2)
ITEMS = Table(place="ingest/items", schema=schemas.ITEMS, stage=Stage.INGEST)
INGEST_VERDICTS = Table(place="ingest/verdicts", schema=schemas.VERDICTS, stage=Stage.INGEST)
"""On records that never became documents."""
HELD_IMAGES = Table(place="ingest/images", schema=schemas.HELD_IMAGES, stage=Stage.INGEST)
"""Of partitions whose source holds images."""
PAGES = Table(place="fetch/pages", schema=schemas.PAGES, stage=Stage.FETCH_PAGES, version=2)
PAGE_ITEMS = Table(place=ITEMS.place, schema=schemas.ITEMS, stage=Stage.PARSE_PAGES, version=4)
"""ITEMS of partitions whose documents are pages: they come from the HTML."""
PAGE_VERDICTS = Table(place="ingest/page_verdicts", schema=schemas.VERDICTS, stage=Stage.PARSE_PAGES, version=4)
"""On pages that could not be fetched or have no content."""
PAGE_FACTS = Table(place="ingest/page_facts", schema=schemas.PAGE_FACTS, stage=Stage.PARSE_PAGES, version=4)
"""Of pages that have content."""
TEXT_MEASURES = Table(place="measure/text", schema=schemas.TEXT_MEASURES, stage=Stage.MEASURE_TEXT, version=2)
URL_COUNTS = Table(place="measure/url_counts", schema=schemas.URL_COUNTS, stage=Stage.COUNT_URLS, version=2)
IMAGES = Table(place="fetch/images", schema=schemas.IMAGES, stage=Stage.FETCH_IMAGES, version=2)
IMAGE_MEASURES = Table(place="measure/image", schema=schemas.IMAGE_MEASURES, stage=Stage.MEASURE_IMAGES)
CLIP_MEASURES = Table(place="measure/clip", schema=schemas.CLIP_MEASURES, stage=Stage.MEASURE_CLIP)
FACTS = Table(place="facts", schema=schemas.FACTS, stage=Stage.GATHER_FACTS)
MANIFEST = Table(place="partitions", schema=schemas.MANIFEST, stage=Stage.GATHER_FACTS)
"""Of the whole run."""
