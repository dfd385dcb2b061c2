"""Images: fetch those that admit rules let through."""

import pyarrow as pa

from curate.fetch.config import Backend
from curate.fetch.images import fetch_images
from curate.fetch.img2dataset.images import fetch_images_by_img2dataset
from pipelines.decide.admit import admit
from pipelines.engine.host_leases import leased_slots
from pipelines.engine.loop import Report
from pipelines.run.context import RunContext
from pipelines.run.tables import IMAGES
from pipelines.stages.refetch import fetch_missing, fetcher_config


def fetch_admitted_images(context: RunContext, partition: str) -> Report:
    """Fetch the admitted images of a partition that are not stored yet."""
    wanted = admit(context, partition).images
    config = fetcher_config(context)

    def fetch(missing: pa.Table) -> pa.Table:
        if config.backend is Backend.IMG2DATASET:
            return fetch_images_by_img2dataset(missing, config=config)
        with leased_slots(per_host=config.per_host) as slots:
            return fetch_images(missing, config=config, slots=slots)

    return fetch_missing(context, partition, IMAGES, wanted=wanted, url_column="image_url", fetch=fetch)
