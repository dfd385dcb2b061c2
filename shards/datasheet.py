"""The part of the card that a person reads before using a set: what is in it, how it was collected, whose it is.

The questions are those of *Datasheets for Datasets* (arXiv 1803.09010) as far as a pipeline can answer them; the rest
is said to be unknown rather than left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, Field

from shards.contents import SetContents

OPT_OUT_RULES = ("fetch.robots_disallowed", "fetch.robots_unreachable", "fetch.opted_out")
"""Reasons of the ledger that stand for a site's own wish."""


class DatasheetConfig(BaseModel):
    """What only the people who build a set know about it."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    description: str | None = None
    """A sentence or two: what the set is for."""
    license: str = "other"
    """Of the compilation, an identifier of the Hugging Face hub; images and texts keep the rights of their owners."""
    source_licenses: Mapping[str, str] = Field(default_factory=dict)
    """Licence or terms of each source, by its name."""
    contact: str | None = None
    """Where to ask for a document to be removed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CollectionFacts:
    """How the content was fetched."""

    user_agent: str | None = None
    """What the crawler called itself."""
    honoured: Sequence[str] = ()
    """Signals against such use that were obeyed."""
    ignored: Sequence[str] = ()
    """Signals that are known here and were not asked."""
    image_processing: str | None = None
    """How images were scaled."""
    clip_model: str | None = None
    """Model behind the stored similarities."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Datasheet:
    """Everything the text is made from but the index."""

    config: DatasheetConfig = field(default_factory=DatasheetConfig)
    facts: CollectionFacts = field(default_factory=CollectionFacts)
    refusals: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """(documents, images) rejected, by the rules of ``OPT_OUT_RULES``."""


def size_category(num_samples: int) -> str:
    """Return the Hugging Face hub's size class of a set."""
    names = ("1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T")
    power = min(max(len(str(num_samples)) - 3, 0), len(names) - 1)  # thousands have four digits
    return f"n<{names[0]}" if power == 0 else f"{names[power - 1]}<n<{names[power]}"


def render_composition(contents: SetContents) -> str:
    """Return what a sample is like."""
    num_samples, num_distinct = contents.samples.total(), contents.count_documents()
    lines = [
        f"- {num_distinct:,} different documents; {num_samples - num_distinct:,} samples are repeats of one.",
        f"- Words in a sample: {contents.words_of_samples}.",
        f"- Images in a sample: {contents.images_of_samples}.",
    ]
    if contents.sides_px.counts:
        lines.append(f"- Shorter side of an image: {contents.sides_px} px.")
    return "## Composition\n\n" + "\n".join(lines) + "\n"


def render_collection(sheet: Datasheet) -> str:
    """Return how the content was fetched and which wishes of sites were obeyed."""
    facts = sheet.facts
    agent = f"The crawler called itself `{facts.user_agent}`." if facts.user_agent else "The crawler's name is unknown."
    honoured = "; ".join(facts.honoured) if facts.honoured else "none recorded"
    lines = [agent, "", f"- Signals against this use that were obeyed: {honoured}."]
    if facts.ignored:
        lines.append(f"- Signals that were not asked: {'; '.join(facts.ignored)}.")
    documents, images = (sum(counts[place] for counts in sheet.refusals.values()) for place in (0, 1))
    lines.append(f"- Left out because of them: {documents:,} documents and {images:,} images.")
    lines.append(f"- Images: {facts.image_processing or 'unknown processing'}; stored as JPEG.")
    if facts.clip_model:
        lines.append(f"- Similarities of images and texts: cosines by {facts.clip_model}.")
    return "## Collection and opt-outs\n\n" + "\n".join(lines) + "\n"


def render_rights(sheet: Datasheet, *, sources: Sequence[str]) -> str:
    """Return licences, by source, and how something is removed."""
    config = sheet.config
    stated = [f"- {name}: {config.source_licenses.get(name, 'not stated')}" for name in sources]
    contact = f"to {config.contact}" if config.contact else "to whoever gave you this set"
    return (
        f"## Rights and removal\n\nLicence of the compilation: `{config.license}`. It covers the selection and the "
        "arrangement only; rights in images and texts stay with their owners. Terms of the sources:\n\n"
        + "\n".join(stated)
        + "\n\nEvery sample names the URL of its page and of each of its images, so that a document can be found and "
        f"removed. Write {contact}.\n"
    )


def render_limits() -> str:
    """Return what nobody has looked at."""
    return (
        "## Limits\n\nOnly what the table of filters names was looked for. Unless it says so, nobody looked "
        "for personal data, faces, offensive content, watermarks or overlap with evaluation sets. Texts are as their "
        "authors wrote them, with their errors and their views; languages, regions and topics are as the sources have "
        "them, not balanced.\n"
    )
