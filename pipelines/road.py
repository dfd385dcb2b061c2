"""The road from sources to shards: its stages in order, and for which recipes and sources each is there.

``build.py`` walks it. What says ``per: partition`` runs as one Dask task per partition, each as soon as the one before
it is done; a stage ``per: run`` waits for all partitions.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from curate.blend.plan import plan_blend
from curate.contract.reasons import Stage
from curate.ingest.config import Source, has_html
from pipelines.decide.decided import load_or_decide
from pipelines.decide.facts_table import gather_facts
from pipelines.decide.pairs import load_or_propose
from pipelines.decide.url_counts import count_urls, counts_urls
from pipelines.engine.cluster import FETCH, GPU
from pipelines.recipes.recipe import Recipe
from pipelines.stages.images import fetch_admitted_images
from pipelines.stages.ingest import ingest_file
from pipelines.stages.measure import measure_partition_clip, measure_partition_images, measure_partition_text
from pipelines.stages.pages import fetch_page_bodies, parse_pages
from pipelines.write.count_tokens import count_partition_tokens
from pipelines.write.spool import spool_partition
from pipelines.write.write_shards import write_one_shard

Per = Literal["file", "partition", "run", "shard"]


@dataclass(frozen=True, kw_only=True, slots=True)
class StageSpec:
    """A stage of the road."""

    stage: Stage
    call: Callable[..., Any]
    """Takes the context and the name of a partition where it is ``per: partition``."""
    per: Per
    does: str
    """For a person."""
    resources: Mapping[str, float] | None = None
    """Of a worker, where any offers them; else a CPU."""
    only: str = ""
    """When it applies, for a person; empty: always."""
    applies: Callable[[Recipe, Source], bool] = lambda _recipe, _source: True


def has_pages(_recipe: Recipe, source: Source) -> bool:
    """Whether documents of a source are pages that have to be fetched."""
    return source.type == "pages"


def has_page_html(_recipe: Recipe, source: Source) -> bool:
    """Whether the items of a source's documents come from HTML."""
    return has_html(source)


def has_clip(recipe: Recipe, _source: Source) -> bool:
    """Whether images are scored."""
    return recipe.clip is not None


def has_dedup(recipe: Recipe, _source: Source) -> bool:
    """Whether copies of images are looked for."""
    return recipe.dedup is not None


def counts_tokens(recipe: Recipe, _source: Source) -> bool:
    """Whether the blend counts tokens with a tokenizer instead of estimating them."""
    return recipe.blend.tokenizer is not None


# fmt: off
ROAD: tuple[StageSpec, ...] = (
    StageSpec(stage=Stage.INGEST, call=ingest_file, per="file", does="read records, cut partitions"),
    StageSpec(stage=Stage.FETCH_PAGES, call=fetch_page_bodies, per="partition", does="fetch HTML",
              resources={FETCH: 1.0}, only="sources of type pages", applies=has_pages),
    StageSpec(stage=Stage.PARSE_PAGES, call=parse_pages, per="partition", does="HTML to texts and images",
              only="sources of type pages or warc", applies=has_page_html),
    StageSpec(stage=Stage.MEASURE_TEXT, call=measure_partition_text, per="partition", does="language, words"),
    StageSpec(stage=Stage.COUNT_URLS, call=count_urls, per="run", does="how often each image URL occurs",
              only="rule url.frequency", applies=counts_urls),
    StageSpec(stage=Stage.FETCH_IMAGES, call=fetch_admitted_images, per="partition",
              does="admit rules, then fetch, decode, resize", resources={FETCH: 1.0}),
    StageSpec(stage=Stage.MEASURE_IMAGES, call=measure_partition_images, per="partition", does="PDQ hash"),
    StageSpec(stage=Stage.MEASURE_CLIP, call=measure_partition_clip, per="partition", does="embed and score",
              resources={GPU: 1.0}, only="section clip", applies=has_clip),
    StageSpec(stage=Stage.GATHER_FACTS, call=gather_facts, per="partition", does="what rules and report read"),
    StageSpec(stage=Stage.PROPOSE, call=load_or_propose, per="run", does="pairs of images that may be copies",
              only="section dedup", applies=has_dedup),
    StageSpec(stage=Stage.DECIDE, call=load_or_decide, per="run", does="keep rules, duplicates, matches"),
    StageSpec(stage=Stage.COUNT_TOKENS, call=count_partition_tokens, per="partition", does="tokens of every text",
              only="blend.tokenizer", applies=counts_tokens),
    StageSpec(stage=Stage.BLEND, call=plan_blend, per="run", does="the order of samples"),
    StageSpec(stage=Stage.SPOOL, call=spool_partition, per="partition", does="kept samples, once per wave of shards"),
    StageSpec(stage=Stage.WRITE_SHARDS, call=write_one_shard, per="shard", does="tar and index"),
)
# fmt: on


def stages_for(recipe: Recipe, source: Source) -> tuple[StageSpec, ...]:
    """Return the stages that a source's documents go through."""
    return tuple(spec for spec in ROAD if spec.applies(recipe, source))


def measuring_stages(recipe: Recipe, source: Source) -> tuple[tuple[StageSpec, ...], tuple[StageSpec, ...]]:
    """Return what measures a source's partitions: the stages before the run's barrier, and those after it.

    Without a barrier all are before it: partitions flow through without waiting for each other.
    """
    before: list[StageSpec] = []
    after: list[StageSpec] = []
    place = before
    for spec in stages_for(recipe, source):
        if spec.stage in {Stage.PROPOSE, Stage.DECIDE}:
            break
        if spec.per == "run":
            place = after
        elif spec.per == "partition":
            place.append(spec)
    return tuple(before), tuple(after)
