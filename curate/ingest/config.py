"""The kinds of source that a recipe may name."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from curate.contract.reasons import Kind, Role

PAGE_URL_COLUMNS = ("url",)
"""Column taken for a page's URL where the recipe names none, in any case."""

URL_COLUMNS = ("url", "image_url")
"""Columns taken for an image's URL where the recipe names none, in any case: LAION says ``URL``."""

TEXT_COLUMNS = ("text", "caption", "captions", "alt", "alt_text")
"""Columns taken for a pair's text where the recipe names none, in any case, the first present one first."""

TEXT_PARTS = ("txt", "text", "caption", "cap")
"""Extensions of what holds the text beside an image, the first present one first; then fields of the JSON there."""

HASH_COLUMNS = ("sha256",)
"""Columns taken for the hash of a pair's image where the recipe names none: DataComp's spelling."""
_WEB = ("http://", "https://")


SourceName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=64)]
InputPath = Annotated[str, Field(min_length=1)]
ColumnName = Annotated[str, Field(min_length=1)]
SamePage = Literal["url", "tracking"]
ImageRoot = Annotated[str, Field(min_length=1)]
Delimiter = Annotated[str, Field(pattern=r'^[^\r\n"]$')]


class _FilesSource(BaseModel):
    """What every source has."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

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


class _PicturesSource(_FilesSource):
    """What sources have whose images may be files."""

    image_root: ImageRoot | None = None
    """Where images lie that records name by a path: a folder, relative to the recipe's, or any URL that fsspec opens,
    or an http(s) address, from which they are fetched.

    Of a folder only files below it are read, symbolic links and `..` followed first, up to `fetch.max_bytes` each and
    256 MiB a record, while their records are: a copy lies in the run folder, and nothing is fetched of it. What is not
    there, lies outside or is no file costs its image alone. A picture that changes later is not read again. Null:
    nothing is read, and images with a path or a `file:` address count as not had.
    """


class PagesSource(_TablesSource):
    """Web pages by URL: each becomes an interleaved document once its HTML has been fetched."""

    type: Literal["pages"] = "pages"
    """Chooses the reader."""
    url_column: str | None = None
    """Column of csv, tsv, jsonl and parquet that holds the page URL; null takes ``url``, in any case."""
    same_page: SamePage | None = None
    """Which URLs of a file are one page, taken once: ``url`` those that differ in nothing but a fragment, ``tracking``
    also those that differ in parameters such as ``utm_source`` or ``fbclid``. The first one stays and is fetched as it
    stands, the others are rejected as ``ingest.repeated_page``. Null takes every URL.
    """


class Mmc4Source(_FilesSource):
    """Records in the shape of MMC4 (https://github.com/allenai/mmc4): jsonl, jsonl.gz or jsonl.zip."""

    type: Literal["mmc4"] = "mmc4"
    """Chooses the reader."""


class PairsSource(_TablesSource, _PicturesSource):
    """Image URLs with a text each: parquet, csv, tsv, jsonl or txt (``URL text`` a line), or COCO's JSON.

    That is one object with `images` (`id`, `coco_url`, `flickr_url`, `file_name`) and `annotations` (`image_id`,
    `caption`), a document per annotation. With `image_root` the images are its files, without they are fetched. Ids and
    addresses of all images are kept meanwhile, up to 1 GiB, which is three to four million.
    """

    type: Literal["pairs"] = "pairs"
    """Chooses the reader."""
    url_column: str | None = None
    """Column that holds the image URL, in any case; ``image.url`` is a field of a struct; null takes ``url`` or
    ``image_url``."""
    text_column: str | None = None
    """Column that holds the text, or a list of texts, named likewise; null takes the first of ``text``, ``caption``,
    ``captions``, ``alt``, ``alt_text``."""
    image_column: str | None = None
    """Column that holds the image itself, as bytes, as a struct with ``bytes`` (Hugging Face) or in base64; nothing is
    fetched then. Null looks into ``image``, ``img``, ``jpg``, ``image_bytes``, ``image_base64`` and the like."""
    captions: Literal["each", "first"] = "each"
    """Of a list of texts: a document for each, or for the first alone."""
    sha256_column: str | None = None
    """Column that holds the sha256 of the image's original bytes, in hex: an image with other bytes is refused.

    Null takes ``sha256`` where that holds such hashes.
    """


class InstructionsSource(_TablesSource, _PicturesSource):
    """Conversations, a JSON object or a row each: messages, conversations, or columns for question and answer.

    Columns of Alpaca, Dolly, FLAN, OpenOrca, prompt/response, prompt/completion, question/answer and UltraChat are
    known, and LLaVA's JSON: a record with images whose turns say ``<image>`` becomes an interleaved document.
    """

    type: Literal["instructions"] = "instructions"
    """Chooses the reader."""
    roles: dict[str, Role] = {}
    """Names of speakers beside system, user, human, assistant, gpt and model: ``{bot: assistant}``; in any case."""


class ObelicsSource(_PicturesSource):
    """Rows in the shape of OBELICS (arXiv 2306.16527), MINT-1T's HTML part or OmniCorpus: parquet or jsonl.

    All three hold ``images`` and ``texts`` of one length. MINT-1T (``data_v1_0``, ``data_v1_1``) has its ``url`` in a
    column and metadata that is not aligned to the items; OmniCorpus-CC has its URL in a struct ``general_metadata``.
    """

    type: Literal["obelics"] = "obelics"
    """Chooses the reader."""


class InterleavedSource(_PicturesSource):
    """Rows with texts and images in lists of any name: equally long ones, or texts that say where images stand."""

    type: Literal["interleaved"] = "interleaved"
    """Chooses the reader."""
    texts_column: ColumnName = "texts"
    """Column that holds the list of texts, or one text with placeholders; in any case, ``a.b`` within a struct."""
    images_column: ColumnName = "images"
    """Column that holds the list of image URLs, or of structs with a ``url``."""
    url_column: str | None = None
    """Column that holds the page's URL, which relative image URLs need; null: there is none."""
    placeholder: ColumnName = "<image>"
    """What a text says where the next image stands; lists without any are read place by place, as in OBELICS."""


class WarcSource(_FilesSource):
    """Pages of WARC files, such as Common Crawl's, compressed or not: their HTML is taken as it was archived.

    Only images are fetched. Records that are no successful HTML are rejected by the reasons that fetching has, opt-outs
    in headers and pages are obeyed; robots.txt, which an archive does not hold, was its crawler's business.
    """

    type: Literal["warc"] = "warc"
    """Chooses the reader."""
    same_page: SamePage | None = None
    """Which URLs of a file are one page, taken once, as for pages; of successful answers the first one stays."""


class WebdatasetSource(_FilesSource):
    """WebDataset tars of images and texts, such as img2dataset's, and shards of this project: nothing is fetched.

    A JSON that says in which order its images stand makes an interleaved document, as in sets of multi-image documents
    such as DataComp-VLM's: `texts` and `images` of one length; texts, or turns of `conversations` or `messages`, that
    say `<image>`; a list of parts with `type: text` or `type: image` (`content`, `parts` and the like). It names images
    by their members (`KEY.0.jpg`, `0.jpg`, `0`, also `KEY_0.jpg` beside `KEY.json`) or has them in the order of the
    tar. An image that it names and the tar lacks makes the sample a fault; images that it does not name are one beside
    the document.
    """

    type: Literal["webdataset"] = "webdataset"
    """Chooses the reader."""
    text_column: ColumnName | None = None
    """Member (by its extension) or field of the JSON that holds the text; null takes the first of ``txt``, ``text``,
    ``caption``, ``cap``, then the fields that pairs have. Where it is set, no order is looked for in the JSON."""
    fetch_absent: bool = False
    """Fetch images that the JSON names by an http(s) address and the tar lacks, instead of refusing their sample."""


class FolderSource(_FilesSource):
    """A folder of pictures with their captions in files beside them: `a.jpg` and `a.txt` or `a.json`.

    Folders below it are read, too, links to folders are not. As with `image_root`, only files below it are read, up to
    `fetch.max_bytes` each, and nothing is fetched. Pictures of one name but for the extension share their caption.
    """

    type: Literal["folder"] = "folder"
    """Chooses the reader."""
    path: InputPath
    """A folder, a glob of folders or any URL of one that fsspec opens; relative to the recipe's folder."""
    text_column: ColumnName | None = None
    """Field of the JSON that holds the text, or a list of texts; null takes the file `txt`, `text`, `caption` or `cap`
    beside the picture, else the first field of those that pairs have."""
    captions: Literal["each", "first"] = "each"
    """Of a list of texts: a document for each, or for the first alone."""


Source = Annotated[
    PagesSource
    | WarcSource
    | Mmc4Source
    | PairsSource
    | WebdatasetSource
    | FolderSource
    | InstructionsSource
    | ObelicsSource
    | InterleavedSource,
    Field(discriminator="type"),
]
"""One entry of a recipe's ``sources``."""

_KINDS = {
    "pages": Kind.INTERLEAVED,
    "warc": Kind.INTERLEAVED,
    "webdataset": Kind.PAIR,
    "folder": Kind.PAIR,
    "mmc4": Kind.INTERLEAVED,
    "pairs": Kind.PAIR,
    "instructions": Kind.TEXT,
    "obelics": Kind.INTERLEAVED,
    "interleaved": Kind.INTERLEAVED,
}


def source_kind(source: Source) -> Kind:
    """Return the kind of every document of ``source``, unreadable ones included."""
    return _KINDS[source.type]


def may_hold_images(source: Source) -> bool:
    """Say whether records of ``source`` may come with the bytes of their images."""
    return isinstance(source, _PicturesSource | WebdatasetSource | FolderSource)


def image_address(source: Source) -> str | None:
    """Return the http(s) address from which images with a path are fetched, or None."""
    return _root_of(source, is_web=True)


def image_folder(source: Source) -> str | None:
    """Return the folder, or its URL, in which images with a path lie, or None."""
    return _root_of(source, is_web=False)


def _root_of(source: Source, *, is_web: bool) -> str | None:
    root = source.image_root if isinstance(source, _PicturesSource) else None
    return root if root is not None and root.lower().startswith(_WEB) == is_web else None


def has_html(source: Source) -> bool:
    """Say whether documents of ``source`` get their items from HTML."""
    return source.type in {"pages", "warc"}
