"""The kinds of source that a recipe may name."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from curate.contract.reasons import Kind

URL_COLUMNS = ("url", "URL")
"""Columns taken for the URL where the recipe names none: img2dataset's and LAION's spelling."""

TEXT_COLUMNS = ("text", "TEXT", "caption", "alt")
"""Columns taken for a pair's text where the recipe names none, the first present one first."""

HASH_COLUMNS = ("sha256",)
"""Columns taken for the hash of a pair's image where the recipe names none: DataComp's spelling."""

SourceName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=64)]
InputPath = Annotated[str, Field(min_length=1)]


class PagesSource(BaseModel):
    """Web pages by URL: each becomes an interleaved document once its HTML has been fetched."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: SourceName
    """Part of every doc_id and of file names, hence letters, digits, ``_`` and ``-`` only."""
    type: Literal["pages"] = "pages"
    """Chooses the reader."""
    path: InputPath
    """A file, a glob (``*``, ``?``, ``**``) or any URL that fsspec opens; relative to the recipe's folder."""
    url_column: str | None = None
    """Column of csv, tsv, jsonl and parquet that holds the page URL; null takes ``url`` or ``URL``."""


class Mmc4Source(BaseModel):
    """Records in the shape of MMC4 (https://github.com/allenai/mmc4): jsonl, jsonl.gz or jsonl.zip."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: SourceName
    """Part of every doc_id and of file names, hence letters, digits, ``_`` and ``-`` only."""
    type: Literal["mmc4"] = "mmc4"
    """Chooses the reader."""
    path: InputPath
    """A file, a glob (``*``, ``?``, ``**``) or any URL that fsspec opens; relative to the recipe's folder."""


class PairsSource(BaseModel):
    """Image URLs with a text each: parquet, csv, tsv, jsonl or txt (``URL text`` a line)."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: SourceName
    """Part of every doc_id and of file names, hence letters, digits, ``_`` and ``-`` only."""
    type: Literal["pairs"] = "pairs"
    """Chooses the reader."""
    path: InputPath
    """A file, a glob (``*``, ``?``, ``**``) or any URL that fsspec opens; relative to the recipe's folder."""
    url_column: str | None = None
    """Column that holds the image URL; null takes ``url`` or ``URL``."""
    text_column: str | None = None
    """Column that holds the text; null takes the first of ``text``, ``TEXT``, ``caption``, ``alt``."""
    sha256_column: str | None = None
    """Column that holds the sha256 of the image's original bytes, in hex: an image with other bytes is refused.

    Null takes ``sha256`` where that holds such hashes.
    """


class InstructionsSource(BaseModel):
    """Text-only conversations, a JSON object a line: messages, conversations or instruction/input/output."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: SourceName
    """Part of every doc_id and of file names, hence letters, digits, ``_`` and ``-`` only."""
    type: Literal["instructions"] = "instructions"
    """Chooses the reader."""
    path: InputPath
    """A file, a glob (``*``, ``?``, ``**``) or any URL that fsspec opens; relative to the recipe's folder."""


class ObelicsSource(BaseModel):
    """Rows in the shape of OBELICS (arXiv 2306.16527), MINT-1T's HTML part or OmniCorpus: parquet or jsonl."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: SourceName
    """Part of every doc_id and of file names, hence letters, digits, ``_`` and ``-`` only."""
    type: Literal["obelics"] = "obelics"
    """Chooses the reader."""
    path: InputPath
    """A file, a glob (``*``, ``?``, ``**``) or any URL that fsspec opens; relative to the recipe's folder."""


Source = Annotated[
    PagesSource | Mmc4Source | PairsSource | InstructionsSource | ObelicsSource, Field(discriminator="type")
]
"""One entry of a recipe's ``sources``."""

_KINDS = {
    "pages": Kind.INTERLEAVED,
    "mmc4": Kind.INTERLEAVED,
    "pairs": Kind.PAIR,
    "instructions": Kind.TEXT,
    "obelics": Kind.INTERLEAVED,
}


def source_kind(source: Source) -> Kind:
    """Return the kind of every document of ``source``, unreadable ones included."""
    return _KINDS[source.type]


def may_hold_images(source: Source) -> bool:
    """Say whether records of ``source`` may come with the bytes of their images."""
    return source.type in {"pairs", "obelics"}
