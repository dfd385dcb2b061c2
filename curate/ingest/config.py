"""The kinds of source that a recipe may name."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from curate.contract.reasons import Kind

URL_COLUMNS = ("url", "URL")
"""Columns taken for the URL where the recipe names none: img2dataset's and LAION's spelling."""

TEXT_COLUMNS = ("text", "TEXT", "caption", "alt")
"""Columns taken for a pair's text where the recipe names none, the first present one first."""

HASH_COLUMNS = ("sha256",)
"""Columns taken for the hash of a pair's image where the recipe names none: DataComp's spelling."""

SourceName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=64)]
InputPath = Annotated[str, Field(min_length=1)]
ColumnName = Annotated[str, Field(min_length=1)]
Delimiter = Annotated[str, Field(pattern=r'^[^\r\n"]$')]


class _FilesSource(BaseModel):
    """What every source has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: SourceName
    """Part of every doc_id and of file names, hence letters, digits, ``_`` and ``-`` only."""
    path: InputPath
    """A file, a glob (``*``, ``?``, ``**``) or any URL that fsspec opens; relative to the recipe's folder."""


class _TablesSource(_FilesSource):
    """What sources have whose files may be tables of text: csv, tsv and the like."""

    columns: tuple[ColumnName, ...] = ()
    """Names of the columns, in order, of tables without a header, such as Conceptual Captions: ``[url, text]``.

    Empty takes them from the first line.
    """
    delimiter: Delimiter | None = None
    """The character between fields; null takes the comma for csv and the tab for tsv, or what the header holds."""
    quotes: bool | None = None
    """Whether ``"`` encloses fields (RFC 4180) or is a letter; null: it encloses, except where tabs delimit."""

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        if len({name.casefold() for name in self.columns}) < len(self.columns):
            raise ValueError("columns: every name may stand once only")
        return self


class PagesSource(_TablesSource):
    """Web pages by URL: each becomes an interleaved document once its HTML has been fetched."""

    type: Literal["pages"] = "pages"
    """Chooses the reader."""
    url_column: str | None = None
    """Column of csv, tsv, jsonl and parquet that holds the page URL; null takes ``url`` or ``URL``."""


class Mmc4Source(_FilesSource):
    """Records in the shape of MMC4 (https://github.com/allenai/mmc4): jsonl, jsonl.gz or jsonl.zip."""

    type: Literal["mmc4"] = "mmc4"
    """Chooses the reader."""


class PairsSource(_TablesSource):
    """Image URLs with a text each: parquet, csv, tsv, jsonl or txt (``URL text`` a line)."""

    type: Literal["pairs"] = "pairs"
    """Chooses the reader."""
    url_column: str | None = None
    """Column that holds the image URL; null takes ``url`` or ``URL``."""
    text_column: str | None = None
    """Column that holds the text; null takes the first of ``text``, ``TEXT``, ``caption``, ``alt``."""
    sha256_column: str | None = None
    """Column that holds the sha256 of the image's original bytes, in hex: an image with other bytes is refused.

    Null takes ``sha256`` where that holds such hashes.
    """


class InstructionsSource(_TablesSource):
    """Text-only conversations, a JSON object a line: messages, conversations or instruction/input/output."""

    type: Literal["instructions"] = "instructions"
    """Chooses the reader."""


class ObelicsSource(_FilesSource):
    """Rows in the shape of OBELICS (arXiv 2306.16527), MINT-1T's HTML part or OmniCorpus: parquet or jsonl."""

    type: Literal["obelics"] = "obelics"
    """Chooses the reader."""


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
