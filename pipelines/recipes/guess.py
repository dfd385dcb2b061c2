"""Guess what files hold and write a commented recipe for them."""

import os
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from pydantic import TypeAdapter

from curate.contract.errors import RecipeError
from curate.contract.reasons import IngestReason
from curate.contract.records import Document, Fault
from curate.ingest.config import Source
from curate.ingest.readers import read_file
from pipelines.recipes.reference import EDITOR_LINE

NUM_RECORDS = 20
"""Records read to tell what a file holds."""
SOURCE_TYPES = ("warc", "webdataset", "mmc4", "obelics", "interleaved", "instructions", "pairs", "pages")
"""From the most to the least particular: any pair list would do as a list of pages."""

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


def write_recipe(files: Sequence[str], *, folder: Path = Path()) -> str:
    """Return a recipe over ``files``.

    Args:
        files: Paths from the current folder, or fsspec URLs.
        folder: Where the recipe will lie; it names relative paths from there.

    Raises:
        RecipeError: Files in which nothing could be recognised, each with what was tried.
    """
    guesses = {file: guess_type(file) for file in files}
    unknown = [file for file, guess in guesses.items() if guess is None]
    if unknown:
        raise RecipeError(tuple(fault for file in unknown for fault in _why_unknown(file)))
    names: list[str] = []
    for file in files:
        names.append(_free_name(Path(file).name.split(".")[0], names))
    lines = [
        f"  - {{name: {name}, type: {guesses[file]}, path: {_quoted(_seen_from(folder, file))}}}"
        for name, file in zip(names, files, strict=True)
    ]
    return TEMPLATE.format(sources="\n".join(lines), editor_line=EDITOR_LINE.format(schema=SCHEMA_NAME))


def guess_type(file: str) -> str | None:
    """Return the first source type whose reader makes documents of half of the first records or more, or None."""
    return next((kind for kind in SOURCE_TYPES if _fits(file, kind)), None)


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


def _fits(file: str, source_type: str) -> bool:
    records = _look(file, source_type)
    num_documents = sum(isinstance(record, Document) for record in records)
    return 0 < num_documents >= len(records) / 2


def _look(file: str, source_type: str) -> list[Document | Fault]:
    source: Source = TypeAdapter(Source).validate_python({"name": "guess", "type": source_type, "path": file})
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
