"""What a recipe may say: frozen models put together from the packages' own configs, plus checks that span them."""

from typing import Annotated, Any

from dask.utils import parse_bytes
from pydantic import (
    BaseModel,
    ByteSize,
    ConfigDict,
    Field,
    PositiveInt,
    create_model,
    field_validator,
    model_validator,
)

from curate.blend.config import BlendConfig
from curate.contract.reasons import Kind
from curate.dedup.config import DedupConfig
from curate.fetch.config import Backend, FetchConfig, missing_for_img2dataset
from curate.ingest.config import Source
from curate.measure.config import ClipConfig
from filters.registry import RULES
from shards.config import ShardsConfig

POOL_NAMES = frozenset({"pool", "decided"})
"""Files of ``blend/`` that belong to no shard set."""


def _rule_set(phase: str) -> type[BaseModel]:
    """Return the model of one section of rules: a field per rule of that phase, absent unless the recipe names it."""
    fields: dict[str, Any] = {
        name.replace(".", "_"): (spec.config | None, Field(default=None, alias=name))
        for name, spec in RULES.items()
        if spec.phase == phase
    }
    config = ConfigDict(frozen=True, extra="forbid", populate_by_name=False, serialize_by_alias=True)
    return create_model(f"{phase.capitalize()}Rules", __config__=config, **fields)


AdmitRules = _rule_set("admit")
KeepRules = _rule_set("keep")


class EngineConfig(BaseModel):
    """How the work is laid out; nothing here changes a byte of the shards."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    workers: PositiveInt | None = None
    """Worker processes on this machine; null means one per CPU."""
    gpus: Annotated[int, Field(ge=0)] | None = None
    """GPU worker processes; null means one per CUDA device."""
    memory_limit: str = "auto"
    """Per worker, as Dask reads it: "auto" or such as "4GB"."""
    window: PositiveInt | None = None
    """Most partitions in flight; null means two per worker and two more."""
    spool_bytes: ByteSize = Field(default=ByteSize(200 * 10**9), ge=1)
    """Most bytes of samples that lie in the run folder a second time while shards are written. A corpus that is larger
    is written in several waves, each of which reads it once."""

    @field_validator("memory_limit")
    @classmethod
    def _memory_is_bytes(cls, value: str) -> str:
        if value != "auto":
            try:
                parse_bytes(value)
            except ValueError as error:
                raise ValueError(f'{value!r} is no amount of memory; write "auto" or such as "4GB"') from error
        return value


class Recipe(BaseModel):
    """One corpus: sources, what is admitted, fetched, measured, kept, blended and written."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sources: Annotated[tuple[Source, ...], Field(min_length=1)]
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
    engine: EngineConfig = Field(default_factory=EngineConfig)

    @model_validator(mode="after")
    def _sections_agree(self) -> "Recipe":
        faults = [
            *self._name_faults(),
            *self._score_faults(),
            *self._weight_faults(),
            *self._contact_faults(),
            *self._backend_faults(),
            *self._set_name_faults(),
        ]
        if faults:
            raise ValueError("\n".join(faults))
        return self

    def _name_faults(self) -> list[str]:
        names = [source.name for source in self.sources]
        return [
            f"sources: two sources are named {name!r}; names must differ"
            for name in sorted({n for n in names if names.count(n) > 1})
        ]

    def _score_faults(self) -> list[str]:
        if self.clip is not None:
            return []
        faults = [
            f"{section}.{name}: reads CLIP scores, but the recipe has no clip section (add `clip: {{model: ...}}`)"
            for section, name in self._named_rules()
            if RULES[name].needs_clip
        ]
        if self.dedup is not None and self.dedup.image.cosine is not None:
            faults.append("dedup.image.cosine: reads CLIP embeddings, but the recipe has no clip section")
        return faults

    def _weight_faults(self) -> list[str]:
        known = {source.name for source in self.sources} | {str(kind) for kind in Kind}
        return [
            f"blend.weights.{name}: names no source and no kind (there are: {', '.join(sorted(known))})"
            for name in self.blend.weights
            if name not in known
        ]

    def _set_name_faults(self) -> list[str]:
        name = self.blend.name
        return [f"blend.name: {name} is taken by a file of the pool; choose another"] if name in POOL_NAMES else []

    def _contact_faults(self) -> list[str]:
        if self.fetch.contact or self.fetch.allow_private:
            return []
        fetches = any(source.type != "instructions" for source in self.sources)
        hint = "fetch.contact: required to fetch from the web: how site owners reach you (mailto:you@example.org)"
        return [hint] if fetches else []

    def _backend_faults(self) -> list[str]:
        if self.fetch.backend is not Backend.IMG2DATASET:
            return []
        missing = ", ".join(missing_for_img2dataset())
        hint = f"img2dataset needs {missing}: install vila-curate[img2dataset], on Python 3.11 or 3.12"
        checks = ("respect_robots", "respect_tdmrep", "respect_content_usage")
        return [
            *([f"fetch.backend: {hint}"] if missing else []),
            *(
                f"fetch.{name}: the backend img2dataset cannot; say `{name}: false`, or take the backend `own`"
                for name in checks
                if getattr(self.fetch, name)
            ),
        ]

    def _named_rules(self) -> list[tuple[str, str]]:
        sections = (("admit", self.admit), ("keep", self.keep))
        return [(section, name) for section, rules in sections for name in rule_configs(rules)]


def rule_configs(rules: BaseModel) -> dict[str, BaseModel]:
    """Return the rules a section names, in the registry's order: the first that rejects a row gives its reason."""
    named = {info.alias: getattr(rules, field) for field, info in type(rules).model_fields.items()}
    return {name: named[name] for name in RULES if named.get(name) is not None}
