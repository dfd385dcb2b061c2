"""Whatever bytes a file holds, a reader ends and raises nothing, and no two documents share a place."""

import bz2
import gzip
import json
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from curate.contract.records import Document, Fault
from curate.ingest.config import Source, WebdatasetSource
from curate.ingest.readers import read_file
from tests.curate.ingest.files.test_tars import tar

_KINDS: list[dict[str, Any]] = [
    {"type": "pages"},
    {"type": "mmc4"},
    {"type": "pairs"},
    {"type": "pairs", "columns": ["url", "text"], "delimiter": ";"},
    {"type": "instructions", "image_root": "http://a/"},
    {"type": "obelics"},
    {"type": "interleaved"},
    {"type": "interleaved", "image_root": "pictures"},
    {"type": "pairs", "image_root": "http://a/"},
]
_NAMES = ("a.txt", "a.csv", "a.tsv", "a.jsonl", "a.json", "a.parquet", "a", "a.csv.gz")
_PIECES = [
    *(bytes([letter]) for letter in b'",;{}[]\n\r\t\\\0\xff'),
    *(b"url,text\n", b"url\ttext\r", b'{"url":', b'"http://a"', b"http://a b", b"<image>", b"sep=;\n", b"null", b"7"),
    *(
        b'"annotations": [{"image_id": 1}], ',
        b'"images": [{"id": 1, "coco_url": "u"}]',
        b'"messages": ',
        b'"texts": ',
        b'"images": ',
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"PAR1",
        b"\x1f\x8b\x08\0",
    ),
    *(b"BZh91AY&SY", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"PK\x03\x04"),
]
_WRAPS = (bytes, gzip.compress, bz2.compress, lzma.compress, zstandard.compress)


@settings(max_examples=150, deadline=5000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(_KINDS),
    name=st.sampled_from(_NAMES),
    pieces=st.lists(st.sampled_from(_PIECES) | st.binary(max_size=8), max_size=30),
    wrap=st.sampled_from(_WRAPS),
    cut=st.integers(0, 3),
)
def test_no_bytes_raise(
    tmp_path: Path, kind: dict[str, Any], name: str, pieces: list[bytes], wrap: Callable[[bytes], bytes], cut: int
) -> None:
    source: Source = TypeAdapter(Source).validate_python({"name": "s", "path": name} | kind)
    data = wrap(b"".join(pieces))
    (tmp_path / name).write_bytes(data[: len(data) - cut])
    records = list(read_file(str(tmp_path / name), source=source, label=name))
    ordinals = [record.ordinal for record in records if isinstance(record, Document)]
    assert len(set(ordinals)) == len(ordinals)


_COLUMNS = (
    *("url", "text", "captions", "texts", "images", "text_list", "image_info", "general_metadata", "metadata", "id"),
    *("image", "messages", "conversations", "data", "instruction", "output", "prompt", "response", "system"),
)
_KEYS = ("role", "content", "from", "value", "type", "text", "image", "url", "image_url", "raw_url")
_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("<image>")
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYS), inner),
    max_leaves=8,
)


@settings(max_examples=150, deadline=5000)
@given(fields=st.dictionaries(st.sampled_from((*_COLUMNS, "content", "parts")), _VALUES), keys=st.booleans())
def test_no_json_in_a_tar_raises(fields: dict[str, Any], keys: bool) -> None:  # noqa: FBT001
    source = WebdatasetSource(name="s", path="memory://fuzz/a.tar", fetch_absent=keys)
    members = (("k.0.jpg", b"J"), ("k.1.jpg", b"K"), ("k.json", json.dumps(fields).encode()))
    with fsspec.open(source.path, "wb") as stream:
        stream.write(tar(*members))
    records = list(read_file(source.path, source=source, label="a"))
    assert len({record.ordinal for record in records}) == len(records) >= 1
    assert not any("cannot be read" in record.detail for record in records if isinstance(record, Fault))


@settings(max_examples=150, deadline=5000)
@given(kind=st.sampled_from(_KINDS), fields=st.dictionaries(st.sampled_from(_COLUMNS), _VALUES))
def test_no_json_raises(kind: dict[str, Any], fields: dict[str, Any]) -> None:
    source: Source = TypeAdapter(Source).validate_python({"name": "s", "path": "memory://fuzz/a.jsonl"} | kind)
    with fsspec.open(source.path, "wb") as stream:
        stream.write(json.dumps(fields).encode())
    assert len(list(read_file(source.path, source=source, label="a"))) >= 1
