"""Guess what files hold and write a commented recipe for them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from pydantic import TypeAdapter

from curate.contract.errors import RecipeError
from curate.contract.reasons import IngestReason, Modality
from curate.contract.records import Document, Fault, Item
from curate.ingest.config import Source
from curate.ingest.files.picture_roots import is_path
from curate.ingest.readers import read_file
from pipelines.recipes.reference import EDITOR_LINE

NUM_RECORDS = 20
"""Records read to tell what a file holds."""
SOURCE_TYPES = ("folder", "warc", "webdataset", "mmc4", "obelics", "interleaved", "instructions", "pairs", "pages")
"""From the most to the least particular: any pair list would do as a list of pages."""

ROOTED_TYPES = frozenset({"obelics", "interleaved", "instructions", "pairs"})
"""Whose records may name images by a path."""
NAME_CHARS = 1024
"""Longest path that is looked for."""
MAX_FOLDERS = 100
"""Beside a file that are looked into for its pictures."""

SCHEMA_NAME = "recipe.schema.json"
"""Of the schema that editors look for beside a recipe."""
TEMPLATE = """\
{editor_line}
# Made by `curate init`. Look it over, put in your address, then: curate run THIS-FILE
sources:
{sources}
admit:                                  # before any image is fetched
  text.language: {{allow: [en], min_prob: 0.65, kinds: [interleaved]}}
  text.words: {{min: 10}}
  text.replacement: {{max_ratio: 0.01}}   # characters that could not be read in the page's encoding
  url.tokens: {{deny: [logo, button, icon, plugin, widget]}}
  url.frequency: {{max: 10}}
fetch:
  contact: null                         # your address: "mailto:you@example.org"
  resize: {{shorter_side: 384, only_if_larger: true}}
# clip: {{model: ViT-L-14, pretrained: openai, batch_size: 256, precision: bf16}}    # scores images against sentences
keep:                                   # after measuring; edit and run again in seconds
  image.size: {{min: 150, max: 20000}}
  image.aspect: {{max: 2}}
  # image.clip: {{min: 0.15}}             # needs clip
  doc.images: {{min: 1, max: 30}}
dedup: {{mode: ordered, image: {{exact: true}}}}
blend:
  unit: samples
  # weights: {{interleaved: 0.5, pair: 0.4, text: 0.1}}
shards: {{samples: 10000, bytes: 1GB}}
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Guess:
    """What a file seems to hold."""

    type: str
    """Of its source."""
    image_root: str | None = None
    """Where its images seem to lie; None: they have addresses, or come with their records."""


def write_recipe(files: Sequence[str], *, folder: Path = Path()) -> str:
    """Return a recipe over ``files``.

    Args:
        files: Paths from the current folder, or fsspec URLs.
        folder: Where the recipe will lie; it names relative paths from there.

    Raises:
        RecipeError: Files in which nothing could be recognised, each with what was tried.
    """
    guesses = {file: guess_source(file) for file in files}
    known = {file: guess for file, guess in guesses.items() if guess is not None}
    unknown = [file for file in guesses if file not in known]
    if unknown:
        raise RecipeError(tuple(fault for file in unknown for fault in _why_unknown(file)))
    names: list[str] = []
    for file in known:
        names.append(_free_name(Path(file).name.split(".")[0], names))
    lines = [
        f"  - {{name: {name}, type: {guess.type}, path: {_quoted(_seen_from(folder, file))}{_root_of(guess, folder)}"
        for name, (file, guess) in zip(names, known.items(), strict=True)
    ]
    return TEMPLATE.format(sources="\n".join(lines), editor_line=EDITOR_LINE.format(schema=SCHEMA_NAME))


def guess_type(file: str) -> str | None:
    """Return the source type of :func:`guess_source`, or None."""
    guess = guess_source(file)
    return None if guess is None else guess.type


def guess_source(file: str) -> Guess | None:
    """Return the first source type whose reader makes documents of half of the first records or more, or None.

    Where records name images by paths, the folder in which the first of them is found goes with it.
    """
    for kind in SOURCE_TYPES:
        records = _look(file, kind)
        paths = _paths(file, kind, records)
        if paths:
            return Guess(type=kind, image_root=_find_root(file, paths[0]))
        if _fits(records):
            return Guess(type=kind)
    return None


def _paths(file: str, kind: str, plain: list[Document | Fault]) -> list[str]:
    """Return the paths of images, where a folder of images makes sense of what is a fault without one."""
    if kind not in ROOTED_TYPES:
        return []
    rooted = _look(file, kind, image_root=".")
    paths = [item.image_url for item in _images(rooted) if item.image_url and is_path(item.image_url)]
    is_needed = any(item.image_fault for item in _images(plain)) or _num_documents(plain) < _num_documents(rooted)
    return paths if is_needed and _fits(rooted) else []


def _find_root(file: str, path: str) -> str:
    """Return the folder of a file, or the one beside the file in which a picture of that path lies."""
    if "://" in file:
        return file.rpartition("/")[0]
    parent = Path(file).parent
    if Path(path).is_absolute() or ".." in Path(path).parts or "\0" in path or len(path) > NAME_CHARS:
        return str(parent)
    beside = (one for one in sorted(parent.iterdir()) if one.is_dir())
    return str(next((one for one in [parent, *islice(beside, MAX_FOLDERS)] if os.path.lexists(one / path)), parent))


def _root_of(guess: Guess, folder: Path) -> str:
    if guess.image_root is None:
        return "}"
    return f", image_root: {_quoted(_seen_from(folder, guess.image_root))}}}  # the folder of its images: a guess"


def _why_unknown(file: str) -> list[str]:
    """Return what is wrong with a file of which nothing is known: the first fault of each reader, each said once."""
    first: dict[str, list[str]] = {}
    for kind in SOURCE_TYPES:
        faults = [record for record in _look(file, kind) if isinstance(record, Fault)]
        if any(fault.reason is IngestReason.MISSING_FILE for fault in faults):
            return [f"{file}: no such file"]
        what = faults[0].detail.removeprefix(f"{file}:").lstrip() if faults else "no record in it"
        first.setdefault(what, []).append(kind)
    return [
        f"{file}: no record of any known kind in it",
        *(f"  as {', '.join(k)}: {what}" for what, k in first.items()),
    ]


def _fits(records: list[Document | Fault]) -> bool:
    return 0 < _num_documents(records) >= len(records) / 2


def _num_documents(records: list[Document | Fault]) -> int:
    return sum(isinstance(record, Document) for record in records)


def _images(records: list[Document | Fault]) -> list[Item]:
    items = (item for record in records if isinstance(record, Document) for item in record.items)
    return [item for item in items if item.modality is Modality.IMAGE]


def _look(file: str, source_type: str, **options: str) -> list[Document | Fault]:
    """Return the first records; no picture is opened, whatever they name."""
    fields = {"name": "guess", "type": source_type, "path": file} | options
    source: Source = TypeAdapter(Source).validate_python(fields)
    return list(islice(read_file(file, source=source, label=file), NUM_RECORDS))


def _free_name(stem: str, taken: Sequence[str]) -> str:
    name = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in stem).strip("_") or "source"
    number = 2
    free = name
    while free in taken:
        free, number = f"{name}_{number}", number + 1
    return free


def _seen_from(folder: Path, file: str) -> str:
    if "://" in file or Path(file).is_absolute():
        return file
    return os.path.relpath(file, folder)


def _quoted(path: str) -> str:
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'
