"""What a file holds, told by its extension and its first bytes."""

import re

_EXTENSIONS = {
    "parquet": "parquet",
    "csv": "csv",
    "tsv": "tsv",
    "tab": "tsv",
    "jsonl": "jsonl",
    "ndjson": "jsonl",
    "json": "jsonl",
    "txt": "txt",
}
_PARQUET = b"PAR1"
_JSON_START = re.compile(rb'(?:\xef\xbb\xbf)?\s*(?:\{\s*["}]|\[\s*[\[{\]])')

_FOREIGN = (
    (re.compile(rb"(?s).{257}ustar"), "a tar archive"),
    (re.compile(rb"WARC/\d"), "a WARC file"),
    (re.compile(rb"(?i)(?:\xef\xbb\xbf)?\s*<(?:!doctype html|html|\?xml)"), "a page of HTML or XML, not a list"),
    (re.compile(rb"version https://git-lfs\.github\.com/"), "a pointer of Git LFS, not the file itself (git lfs pull)"),
    (re.compile(rb"ARROW1\0\0|\xff\xff\xff\xff.\0\0\0\x10\0\0\0"), "an Arrow file"),
    (re.compile(rb"Obj\x01"), "an Avro file"),
    (re.compile(rb"ORC"), "an ORC file"),
    (re.compile(rb"SQLite format 3\0"), "a SQLite database"),
    (re.compile(rb"7z\xbc\xaf\x27\x1c"), "a 7z archive"),
    (re.compile(rb"Rar!\x1a\x07"), "a RAR archive"),
    (re.compile(rb"\x04\x22\x4d\x18"), "compressed by lz4"),
    (re.compile(rb"\x80[\x02-\x05]"), "a pickle, which runs code when it is read"),
    (re.compile(rb"%PDF-"), "a PDF"),
    (re.compile(rb"\xff\xd8\xff|\x89PNG\r\n|GIF8|RIFF....WEBP"), "a picture"),
)
_READ_HERE = "parquet, csv, tsv, jsonl, json and txt are read, also compressed by gz, bz2, xz, zst or zip"


def find_format(name: str, head: bytes) -> str | None:
    """Return ``parquet``, ``csv``, ``tsv``, ``jsonl`` or ``txt``, or None where neither name nor content tells.

    Parquet shows by its magic whatever its name; other formats by the extension. JSON is recognised by its opening
    bracket where the extension is none of the known ones, or ``txt``.

    Args:
        name: Without an extension that says compressed.
        head: The first bytes.
    """
    known = _EXTENSIONS.get(name.rpartition(".")[2].lower())
    if head.startswith(_PARQUET):
        return "parquet"
    if known in {None, "txt"} and _JSON_START.match(head):
        return "jsonl"
    return known


def name_foreign(head: bytes, *, is_binary: bool) -> str | None:
    """Return what a file is that no reader here can read, for a person, or None.

    Args:
        head: The first bytes.
        is_binary: Whether its extension says compressed, so that a zero byte means damage to the whole file.
    """
    found = next((what for magic, what in _FOREIGN if magic.match(head)), None)
    if found is None and is_binary and b"\0" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff", _PARQUET)):
        found = "neither compressed, as its name says, nor text"
    return f"{found}; {_READ_HERE}" if found else None
