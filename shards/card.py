"""``README.md`` of a shard set: the features that Hugging Face needs, and a text for people.

Without declared features ``datasets`` infers them from the first five samples and silently drops every part that only
comes later; so the card declares as many images as the largest document has. ``json`` is declared as JSON because its
fields vary from sample to sample.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from shards.contents import SetContents
from shards.datasheet import (
    OPT_OUT_RULES,
    CollectionFacts,
    Datasheet,
    DatasheetConfig,
    render_collection,
    render_composition,
    render_limits,
    render_rights,
    size_category,
)
from shards.licenses import LicenseCounts, render_licenses
from shards.markdown import render_table
from shards.sample import JSON_PART, image_part

CARD_NAME = "README.md"
DATA_FILES = "*.tar"


@dataclass(frozen=True, kw_only=True, slots=True)
class FilterYield:
    """What one rule or stage took away."""

    name: str
    """Its name and settings, such as ``image.clip min=0.15``."""
    num_documents: int
    """Documents rejected."""
    num_images: int
    """Images rejected."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ShardSetInfo:
    """What the writer of a shard set knows beyond its samples."""

    name: str
    recipe_sha256: str
    """Of the resolved recipe, in hex."""
    blend: Mapping[str, Any] = field(default_factory=dict)
    """Summary of the blend; JSON values."""
    filters: Sequence[FilterYield] = ()
    """In the order they ran."""
    datasheet: DatasheetConfig = field(default_factory=DatasheetConfig)
    """Purpose, licences, contact."""
    facts: CollectionFacts = field(default_factory=CollectionFacts)
    """How the content was fetched."""
    licenses: LicenseCounts = field(default_factory=dict)
    """What the samples state, added up over the shards."""


def card_features(max_images: int) -> list[dict[str, str]]:
    """Return the features to declare for a set whose largest document has ``max_images`` images."""
    images = [{"name": image_part(number), "dtype": "image"} for number in range(max_images)]
    texts = [{"name": name, "dtype": "string"} for name in ("__key__", "__url__")]
    return [*texts, {"name": JSON_PART, "dtype": "json"}, *images]


def read_card_header(card: str) -> dict[str, Any]:
    """Return what a card's YAML header says; empty where it has none or it cannot be parsed."""
    pieces = card.split("---\n", 2)
    if len(pieces) < 3 or pieces[0]:  # noqa: PLR2004 - nothing, the header, the text
        return {}
    try:
        header = yaml.safe_load(pieces[1])
    except yaml.YAMLError:
        return {}
    return header if isinstance(header, dict) else {}


def render_card(contents: SetContents, *, info: ShardSetInfo, num_bytes: int) -> str:
    """Return the card.

    Args:
        contents: Of the set; not empty.
        info: What the samples do not tell.
        num_bytes: Of all tars.
    """
    header = {
        "license": info.datasheet.license,
        "pretty_name": info.name,
        "size_categories": [size_category(contents.samples.total())],
        "task_categories": ["image-text-to-text"],
        "tags": ["interleaved", "webdataset"],
        "configs": [{"config_name": "default", "data_files": [{"split": "train", "path": DATA_FILES}]}],
        "dataset_info": {"features": card_features(contents.max_images)},
    }
    yaml_header = yaml.safe_dump(header, sort_keys=False, allow_unicode=True, width=1000)
    refusals = {one.name: (one.num_documents, one.num_images) for one in info.filters if one.name in OPT_OUT_RULES}
    sheet = Datasheet(config=info.datasheet, facts=info.facts, refusals=refusals)
    sections = [
        _render_contents(contents, info, num_bytes),
        render_composition(contents),
        render_collection(sheet),
        _render_filters(info),
        _render_blend(info),
        render_rights(sheet, sources=sorted({source for source, _ in contents.samples})),
        render_licenses(info.licenses),
        render_limits(),
        _render_usage(),
    ]
    return f"---\n{yaml_header}---\n\n# {info.name}\n\n" + "\n".join(part for part in sections if part)


def _render_contents(contents: SetContents, info: ShardSetInfo, num_bytes: int) -> str:
    rows = [
        (*group, contents.samples[group], contents.images[group], contents.words[group])
        for group in sorted(contents.samples)
    ]
    table = render_table(["source", "kind", "samples", "images", "words"], rows)
    purpose = f"{info.datasheet.description}\n\n" if info.datasheet.description else ""
    return (
        f"{purpose}Interleaved image-text documents: {contents.samples.total():,} samples with "
        f"{contents.images.total():,} images in {contents.num_shards:,} shards, {num_bytes:,} bytes.\n"
        f"\n## Sources\n\n{table}\n"
        "A document may stand in the set more than once where the blend repeats it. The sha256 of the recipe that made "
        f"the set is `{info.recipe_sha256}`. Images and texts come from the pages that each sample names.\n"
    )


def _render_blend(info: ShardSetInfo) -> str:
    entries = info.blend.get("entries", {})
    if not entries:
        return ""
    rows = [
        (name, entry["weight"], f"{entry['wanted_share']:.4f}", f"{entry['got_share']:.4f}", entry["most_repeats"])
        for name, entry in sorted(entries.items())
    ]
    table = render_table(["source or kind", "weight", "share wanted", "share got", "most uses of one sample"], rows)
    return f"## Blend\n\nShares are of {info.blend.get('unit', 'samples')}.\n\n{table}"


def _render_filters(info: ShardSetInfo) -> str:
    if not info.filters:
        return ""
    rows = [(one.name, one.num_documents, one.num_images) for one in info.filters]
    return f"## Filters\n\n{render_table(['rule', 'documents rejected', 'images rejected'], rows)}"


def _render_usage() -> str:
    return """## Layout

Uncompressed USTAR tars. A sample `KEY` is `KEY.json`, then `KEY.0.jpg`, `KEY.1.jpg`, ... The JSON has `doc_id`, `kind`,
`source`, `url`, `items` (texts and images in reading order; an image names its `part`), `scores`, `provenance` (file
and row of the source, where the page was found after redirects) and, where one is stated, `license`.
`index.parquet` has the byte offset of every sample and part, `manifest.json` the sha256 of every tar.

```python
import webdataset
samples = webdataset.WebDataset("00000.tar", shardshuffle=False)

import datasets
rows = datasets.load_dataset("path/to/this/folder", split="train")

import wids
samples = wids.ShardListDataset("path/to/this/folder/wids.json")
```

Megatron Energon reads the folder as it is, as a crude dataset; vila-curate's `shards.cooker.cook_interleaved` turns its
samples into dataclasses. `curate verify` checks the folder, `curate export` writes other tools' formats.
"""
