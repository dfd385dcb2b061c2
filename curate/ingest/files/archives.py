"""Archives that are read as one stream: what is inside their compression."""

import io
from collections.abc import Iterator
from contextlib import contextmanager

from curate.ingest.files.compression import decompress, find_compression
from curate.ingest.files.streams import open_binary

_MAX_LAYERS = 2


@contextmanager
def open_archive(path: str) -> Iterator[io.BufferedReader]:
    """Open a WARC or tar file for reading; gz, bz2, xz and zst are undone, told by content.

    Raises:
        OSError, ValueError, ImportError: It cannot be opened.
    """
    with open_binary(path) as raw:
        stream = raw
        for _ in range(_MAX_LAYERS):
            compression = find_compression(stream.peek())
            if compression in {"", "zip"}:
                break
            stream = decompress(stream, compression)
        yield stream
