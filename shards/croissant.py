"""``croissant.json``: the set in the vocabulary by which data set search engines and loaders know it.

Croissant 1.0 is MLCommons' (https://docs.mlcommons.org/croissant). It is written by hand: the vocabulary is small,
while ``mlcroissant`` brings pandas and rdflib with it; that library reads the result in the tests. The tars are listed
with their sha256; the records are those of ``index.parquet``.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

CROISSANT_NAME = "croissant.json"
CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
DESCRIPTION = "Interleaved image-text documents as WebDataset tars. README.md tells their sources, filters and rights."
LICENSE = "See README.md"
RECORDS = "samples"
_COLUMNS = {
    "key": ("sc:Text", "Key of the sample in its shard; unique in the set."),
    "shard": ("sc:Text", "File name of the tar that holds the sample."),
    "offset": ("sc:Integer", "Where the sample starts in the tar, bytes."),
    "num_bytes": ("sc:Integer", "Length of the sample in the tar, bytes."),
    "doc_id": ("sc:Text", "Id of the document."),
    "source": ("sc:Text", "Source of the recipe that the document came from."),
    "kind": ("sc:Text", "interleaved, pair or text."),
    "num_images": ("sc:Integer", "Images in the sample."),
    "num_words": ("sc:Integer", "Words in the sample's texts."),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class SetFile:
    """A file of the set."""

    name: str
    """In the set's folder."""
    num_bytes: int
    sha256: str
    """In hex."""


def encode_croissant(shards: Sequence[SetFile], *, index: SetFile, name: str) -> bytes:
    """Return the contents of ``croissant.json``; all of it follows from the tars, licences are the card's to state.

    Args:
        shards: The tars.
        index: The Parquet index.
        name: Of the set.
    """
    document: Mapping[str, Any] = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": name,
        "description": DESCRIPTION,
        "license": LICENSE,
        "distribution": [
            _file_object(index, media_type="application/x-parquet"),
            *[_file_object(shard, media_type="application/x-tar") for shard in shards],
        ],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": RECORDS,
                "name": RECORDS,
                "description": "A row per sample; the tar it names holds its JSON and its images.",
                "key": {"@id": f"{RECORDS}/key"},
                "field": [_field(column, index.name) for column in _COLUMNS],
            }
        ],
    }
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "replace")


def _file_object(file: SetFile, *, media_type: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": file.name,
        "name": file.name,
        "contentUrl": file.name,
        "contentSize": f"{file.num_bytes} B",
        "encodingFormat": media_type,
        "sha256": file.sha256,
    }


def _field(column: str, index_name: str) -> dict[str, Any]:
    data_type, description = _COLUMNS[column]
    return {
        "@type": "cr:Field",
        "@id": f"{RECORDS}/{column}",
        "name": column,
        "description": description,
        "dataType": data_type,
        "source": {"fileObject": {"@id": index_name}, "extract": {"column": column}},
    }
