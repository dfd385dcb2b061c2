"""What a recipe may say: frozen models put together from the packages' own configs, plus checks that span them."""

from typing import Annotated

from pydantic import (
    BaseModel,
    ByteSize,
    ConfigDict,
    Field,
    PositiveInt,
    TypeAdapter,
    field_validator,
    model_validator,
)

from curate.blend.config import BlendConfig
from curate.dedup.config import DedupConfig
from curate.fetch.config import FetchConfig
from curate.ingest.config import Source
from curate.measure.config import ClipConfig
from pipelines.recipes.checks import agreement_faults
from pipelines.recipes.rule_sets import AdmitRules, KeepRules
from shards.config import ShardsConfig
from shards.datasheet import DatasheetConfig

_BYTES = TypeAdapter(ByteSize)


class EngineConfig(BaseModel):
    """How the work is laid out; nothing here changes a byte of the shards."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    workers: PositiveInt | None = None
    """Worker processes on this machine; null means one per CPU."""
    fetchers: PositiveInt | None = None
    """Further worker processes on this machine, which only fetch; null means one per two `workers`."""
    fetch_partitions: PositiveInt = 4
    """Partitions that each fetcher has in flight at once, so that a host that hangs holds up its own partition only.
    They share the limits of `fetch`."""
    gpus: Annotated[int, Field(ge=0)] | None = None
    """GPU worker processes; null means one per CUDA device."""
    memory_limit: str = "auto"
    """Per worker: "auto", Dask's share of the machine, or such as "4GB"."""
    window: PositiveInt | None = None
    """Most partitions in flight, beside those that are being fetched; null means two per worker and two more."""
    spool_bytes: ByteSize = Field(default=ByteSize(200 * 10**9), ge=1)
    """Most bytes of samples that lie in the run folder a second time while shards are written. A corpus that is larger
    is written in several waves, each of which reads it once."""
    range_bytes: ByteSize = Field(default=ByteSize(64 << 20), ge=1)
    """An input file that is larger is read in ranges of this size by several workers, where its format has lines or row
    groups and is not compressed."""

    @field_validator("memory_limit")
    @classmethod
    def _memory_is_bytes(cls, value: str) -> str:
        if value == "auto":
            return value
        try:
            return str(int(_BYTES.validate_python(value)))
        except ValueError as error:
            raise ValueError(f'{value!r} is no amount of memory; write "auto" or such as "4GB"') from error


class Recipe(BaseModel):
    """One corpus: sources, what is admitted, fetched, measured, kept, blended and written."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    sources: Annotated[tuple[Source, ...], Field(min_length=1)]
    """What is read, in this order; each entry has a name and a type, which says what else it may have."""
    partition_num_docs: PositiveInt = 1000
    """Documents per partition, the unit of work and of resuming."""
    admit: AdmitRules = Field(default_factory=AdmitRules)  # type: ignore[valid-type]
    """Rules on text and URLs, before any image is fetched."""
    fetch: FetchConfig = Field(default_factory=FetchConfig)
    clip: ClipConfig | None = None
    """Without it nothing is scored, and rules that read scores are an error."""
    keep: KeepRules = Field(default_factory=KeepRules)  # type: ignore[valid-type]
    """Rules on measured images and whole documents; edit and run again in seconds."""
    dedup: DedupConfig | None = None
    blend: BlendConfig = Field(default_factory=BlendConfig)
    shards: ShardsConfig = Field(default_factory=ShardsConfig)
    datasheet: DatasheetConfig = Field(default_factory=DatasheetConfig)
    """What the dataset card says of purpose, licences and contact."""
    engine: EngineConfig = Field(default_factory=EngineConfig)

    @model_validator(mode="after")
    def _sections_agree(self) -> "Recipe":
        if faults := agreement_faults(self, type(self).model_fields):
            raise ValueError("\n".join(faults))
        return self
