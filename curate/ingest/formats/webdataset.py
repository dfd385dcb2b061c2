"""Documents of WebDataset tars, images included: pairs, interleaved documents and shards of this project."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from curate.contract.reasons import IngestReason, Kind, Modality, Role
from curate.contract.records import Document, Fault, Item
from curate.ingest.config import TEXT_COLUMNS, TEXT_PARTS, URL_COLUMNS, WebdatasetSource
from curate.ingest.files.faults import RecordError, record_fault
from curate.ingest.files.row import require_dict, require_list, require_str, require_text
from curate.ingest.files.tars import TarSample
from curate.ingest.formats.meta import keep_rest
from curate.ingest.formats.tar_images import TarImages, held_item
from curate.ingest.formats.tar_interleaved import Used, mark_images, read_order, read_turns
from curate.ingest.formats.turns import IMAGE_MARK
from curate.ingest.row_license import row_license

_SHA256_DIGITS = 64


def read_tar_sample(sample: TarSample, *, source: WebdatasetSource) -> list[Document | Fault]:
    """Return the document of a sample, and a fault for images in it that its JSON, which says an order, leaves out.

    A shard of this project gives the items of its record. Where the JSON lists texts and images in their order, or
    turns, they are an interleaved document; so is a text that says ``<image>`` beside several images. Else images come
    in front of the text, as in pairs.

    Raises:
        RecordError: No image or no JSON that parses (malformed_record), an image that is not there, or no text
            (empty_document).
    """
    record = _read_json(sample)
    if "items" in record and "doc_id" in record:
        return [_read_own(sample, record)]
    images = TarImages(sample=sample, fetches_absent=source.fetch_absent)
    if (found := _read_ordered(sample, record, images, source)) is not None:
        return _ordered(sample, record, *found, images=images)
    if not images.names:
        there = ", ".join(sample.parts) or "nothing"
        raise RecordError(f"{sample.key[:80]}: no image among its members ({there[:80]})")
    text = _find_text(sample, record, source)
    if IMAGE_MARK in text and len(images.names) > 1:
        used = tuple(name for name, value in record.items() if isinstance(value, str) and value.strip() == text)
        return _ordered(sample, record, *mark_images([text], record, images, used=used), images=images)
    url = _url_of(record)
    items = [held_item(sample, name, url=url if len(images.names) == 1 else None) for name in images.names]
    items.append(Item(modality=Modality.TEXT, text=text))
    return [_document(sample, record, Kind.PAIR, items, used=URL_COLUMNS)]


def _read_ordered(
    sample: TarSample, record: Mapping[str, Any], images: TarImages, source: WebdatasetSource
) -> tuple[list[Item], Used] | None:
    if source.text_column is not None:
        return None
    found = read_order(record, images)
    has_text = any(name in sample.parts for name in TEXT_PARTS)
    return read_turns(record, images) if found is None and not has_text else found


def _ordered(
    sample: TarSample, record: dict[str, Any], items: list[Item], used: Used, *, images: TarImages
) -> list[Document | Fault]:
    if not items:
        raise RecordError(f"{sample.key[:80]}: neither text nor images", IngestReason.EMPTY_DOCUMENT)
    is_text = all(item.modality is Modality.TEXT for item in items) and not images.names
    made: list[Document | Fault] = [
        _document(sample, record, Kind.TEXT if is_text else Kind.INTERLEAVED, items, used=(*used, *URL_COLUMNS))
    ]
    if images.unused:
        what = f"{sample.key[:80]}: nothing refers to {len(images.unused)} of its images: {', '.join(images.unused)}"
        fault = record_fault(sample.place, what)
        made.append(replace(fault, ordinal=f"{fault.ordinal}/unused"))
    return made


def _document(
    sample: TarSample, record: dict[str, Any], kind: Kind, items: list[Item], *, used: Sequence[str]
) -> Document:
    url = _url_of(record)
    return Document(
        native_id=url or sample.key,
        ordinal=sample.place.ordinal,
        kind=kind,
        url=None if kind is Kind.PAIR else url,
        meta=keep_rest(record, used=used) | {"key": sample.key},
        items=tuple(items),
    )


def _url_of(record: Mapping[str, Any]) -> str | None:
    return next((record[name] for name in URL_COLUMNS if isinstance(record.get(name), str) and record[name]), None)


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
    return held_item(
        sample,
        part,
        url=url if isinstance(url, str) and url else None,
        alt_text=alt if isinstance(alt, str) else None,
        expected_sha256=sha256.lower() if isinstance(sha256, str) and len(sha256) == _SHA256_DIGITS else None,
    )
