"""Documents of WebDataset tars: pairs as img2dataset writes them, and shards of this project, images included."""

import json
from collections.abc import Mapping
from typing import Any

from curate.contract.reasons import IngestReason, Kind, Modality, Role
from curate.contract.records import Document, Item
from curate.ingest.config import TEXT_COLUMNS, URL_COLUMNS, WebdatasetSource
from curate.ingest.files.faults import RecordError
from curate.ingest.files.row import require_dict, require_list, require_str, require_text
from curate.ingest.files.tars import TarSample
from curate.ingest.formats.held_images import HELD
from curate.ingest.formats.meta import keep_rest
from curate.ingest.row_license import row_license

IMAGE_EXTENSIONS = frozenset({"jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "avif", "heic", "jp2", "img"})
TEXT_PARTS = ("txt", "text", "caption", "cap")
"""Members taken for a pair's text, the first present one first; then fields of the JSON."""
_SHA256_DIGITS = 64


def read_tar_sample(sample: TarSample, *, source: WebdatasetSource) -> Document:
    """Return an image item followed by its text item; of a shard of this project, the items of its record.

    Raises:
        RecordError: No image or no JSON that parses (malformed_record), or no text (empty_document).
    """
    record = _read_json(sample)
    if "items" in record and "doc_id" in record:
        return _read_own(sample, record)
    images = [name for name in sample.parts if name.rpartition(".")[2] in IMAGE_EXTENSIONS]
    if not images:
        there = ", ".join(sample.parts) or "nothing"
        raise RecordError(f"{sample.key[:80]}: no image among its members ({there[:80]})")
    text = _find_text(sample, record, source)
    url = next((record[name] for name in URL_COLUMNS if isinstance(record.get(name), str) and record[name]), None)
    items = [_held_item(sample, name, url=url if len(images) == 1 else None) for name in images]
    items.append(Item(modality=Modality.TEXT, text=text))
    meta = keep_rest(record, used=URL_COLUMNS) | {"key": sample.key}
    return Document(
        native_id=url or sample.key, ordinal=sample.place.ordinal, kind=Kind.PAIR, meta=meta, items=tuple(items)
    )


def _read_json(sample: TarSample) -> dict[str, Any]:
    data = sample.parts.get("json")
    if data is None:
        return {}
    try:
        return require_dict(json.loads(data), f"{sample.key[:80]}.json")
    except (ValueError, RecursionError) as error:
        raise RecordError(f"{sample.key[:80]}.json does not parse: {type(error).__name__}") from error


def _find_text(sample: TarSample, record: Mapping[str, Any], source: WebdatasetSource) -> str:
    wanted = (source.text_column,) if source.text_column is not None else (*TEXT_PARTS, *TEXT_COLUMNS)
    for name in wanted:
        if name in sample.parts:
            try:
                return require_text(sample.parts[name].decode("utf-8"), name)
            except UnicodeDecodeError as error:
                raise RecordError(f"{sample.key[:80]}.{name} is not UTF-8") from error
        if record.get(name) is not None:
            return require_text(record[name], name)
    raise RecordError(f"{sample.key[:80]}: no text ({', '.join(wanted)})", IngestReason.EMPTY_DOCUMENT)


def _held_item(sample: TarSample, part: str, *, url: str | None = None, **fields: Any) -> Item:
    name = url or f"{HELD}{sample.place.ordinal}/{part}"
    return Item(modality=Modality.IMAGE, image_url=name, image_bytes=sample.parts[part], **fields)


def _read_own(sample: TarSample, record: dict[str, Any]) -> Document:
    """Return the document that this project once wrote, under the id that it had."""
    items = [_own_item(sample, entry, i) for i, entry in enumerate(require_list(record["items"], "items"))]
    kind = record.get("kind")
    if not isinstance(kind, str) or kind not in {str(one) for one in Kind}:
        raise RecordError(f"{sample.key[:80]}: kind is {str(kind)[:40]!r}")
    if not items:
        raise RecordError(f"{sample.key[:80]}: neither text nor images", IngestReason.EMPTY_DOCUMENT)
    url = record.get("url")
    return Document(
        native_id=require_str(record["doc_id"], "doc_id"),
        ordinal=sample.place.ordinal,
        kind=Kind(kind),
        url=url if isinstance(url, str) else None,
        meta=_own_meta(record),
        items=tuple(items),
        license=row_license({"license": record.get("license")}),
    )


def _own_meta(record: dict[str, Any]) -> dict[str, Any]:
    """Return the document's meta, and beside it where the document came from before it came to this shard."""
    meta = keep_rest(require_dict(record.get("meta") or {}, "meta"), used=())
    before = keep_rest({name: record[name] for name in ("provenance",) if record.get(name)}, used=())
    return before | meta


def _own_item(sample: TarSample, entry: object, place: int) -> Item:
    fields = require_dict(entry, f"items[{place}]")
    if fields.get("type") == "text":
        role = fields.get("role")
        if role is not None and (not isinstance(role, str) or role not in {str(one) for one in Role}):
            raise RecordError(f"items[{place}].role is {str(role)[:40]!r}")
        text = require_str(fields.get("text"), f"items[{place}].text")
        return Item(modality=Modality.TEXT, text=text, role=None if role is None else Role(role))
    part = require_str(fields.get("part"), f"items[{place}].part")
    if part not in sample.parts:
        raise RecordError(f"{sample.key[:80]}: {part[:40]} is not there")
    url, alt, sha256 = fields.get("url"), fields.get("alt"), fields.get("sha256")
    return _held_item(
        sample,
        part,
        url=url if isinstance(url, str) and url else None,
        alt_text=alt if isinstance(alt, str) else None,
        expected_sha256=sha256.lower() if isinstance(sha256, str) and len(sha256) == _SHA256_DIGITS else None,
    )
