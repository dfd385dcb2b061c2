"""URLs of images -> the IMAGES table by img2dataset's `Downloader` and `Resizer`, for those who want their behaviour.

What img2dataset lacks and can be given from outside is given: see `urllib_opener`, and the caps of `_Shard.resize`.
What it lacks beyond that is told in `FetchConfig.backend`.
"""

import importlib
import os
import tempfile
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from curate.contract.ids import sha256_hex
from curate.contract.reasons import FetchStatus
from curate.fetch.config import AGENT_NAME, FetchConfig
from curate.fetch.decode.decode import check_size, read_header
from curate.fetch.decode.jpeg import check_scans
from curate.fetch.decode.pixels import target_size
from curate.fetch.errors import FetchError
from curate.fetch.images import expected_hashes, images_table
from curate.fetch.img2dataset.urllib_opener import ToldError, guarded_urllib, read_failure
from curate.fetch.optouts.headers import RESERVING_DIRECTIVES, Checks
from curate.fetch.outbox import FetchRow
from curate.fetch.urls import parse_url

_OPTED_OUT = "Use of image disallowed by X-Robots-Tag directive"
_SHARD_URL, _SHARD_HASH = "url", "sha256"
_HTTP_OK = 200


def fetch_images_by_img2dataset(wanted: pa.Table, *, config: FetchConfig) -> pa.Table:
    """Fetch, decode and scale images; see `images.fetch_images`."""
    expected = expected_hashes(wanted)
    checked = {url: _parsed(url) for url in expected}
    shard = _Shard(urls=[url for url, found in checked.items() if isinstance(found, str)], config=config)
    if shard.urls:
        # One call at a time: `Resizer` points standard output and error elsewhere for a moment; two would lose them.
        with guarded_urllib(config):
            _download(shard, [str(checked[url]) for url in shard.urls], config)
    fetched = {url: found for url, found in checked.items() if not isinstance(found, str)}
    return images_table(wanted, fetched | shard.rows_by_url())


def _parsed(url: str) -> str | FetchRow:
    """Return a URL as it is sent, or the row of one that is not."""
    try:
        return str(parse_url(url))
    except FetchError as error:
        return _failed(error)


def _download(shard: "_Shard", urls: list[str], config: FetchConfig) -> None:
    """Let a Downloader loose on a shard file, which it deletes, as it leaves its statistics behind."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "shard.feather"))
        table = pa.table({_SHARD_URL: urls})
        with pa.OSFile(path, "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
        downloader = _img2dataset("downloader").Downloader(
            sample_writer_class=shard.open,
            resizer=shard.resize,
            thread_count=min(config.concurrency, len(urls)),
            save_caption=False,
            extract_exif=False,
            output_folder=folder,
            column_list=[_SHARD_URL],
            timeout=config.timeout_s,
            number_sample_per_shard=len(urls),
            oom_shard_count=1,
            compute_hash=_SHARD_HASH,
            verify_hash_type=None,  # rows of one URL may promise different bytes
            encode_format="jpg",
            retries=0,  # it would ask again at once, and for 404 as for 503
            user_agent_token=AGENT_NAME,
            disallowed_header_directives=sorted(RESERVING_DIRECTIVES) if config.respect_x_robots else None,
        )
        downloader.download_shard((0, path))


class _Shard:
    """What a Downloader calls for its samples, in one thread: a guarded Resizer, and a writer that keeps rows."""

    def __init__(self, *, urls: list[str], config: FetchConfig) -> None:
        self.urls = urls
        self._config = config
        self._resizer = _new_resizer(config) if urls else None
        self._original_num_bytes = 0
        self._rows: dict[int, FetchRow] = {}

    def resize(self, stream: IO[bytes], bounding_boxes: Any = None) -> tuple[Any, ...]:
        """See img2dataset's `Resizer`; bytes that would take too much memory or time never reach it."""
        data = stream.read()
        self._original_num_bytes = len(data)
        try:
            self._check(data)
        except FetchError as error:
            return None, None, None, None, None, str(ToldError(FetchError(error.status, error.detail, _HTTP_OK)))
        stream.seek(0)
        assert self._resizer is not None  # noqa: S101 - there are URLs
        return tuple(self._resizer(stream, bounding_boxes))

    def _check(self, data: bytes) -> None:
        if not data:
            raise FetchError(FetchStatus.EMPTY_BODY, "no bytes")
        kind, size = read_header(data, max_pixels=self._config.max_pixels)
        check_size(target_size(size, resize=self._config.resize), max_pixels=self._config.max_pixels)
        if kind == "JPEG":
            check_scans(data)

    def open(self, *_: object) -> "_Shard":
        """See img2dataset's sample writers: the arguments are about files."""
        return self

    def write(self, data: bytes | None, key: str, _caption: str | None, meta: dict[str, Any]) -> None:
        """Keep a sample; its key is the number of its URL."""
        self._rows[int(key)] = _failed(_failure(meta)) if data is None else self._stored(data, meta)

    def close(self) -> None:
        """See img2dataset's sample writers."""

    def rows_by_url(self) -> dict[str, FetchRow]:
        """Return a row for every URL, also for those that img2dataset has lost."""
        lost = _failed(FetchError(FetchStatus.INTERNAL_ERROR, "img2dataset has lost this URL"))
        return {url: self._rows.get(number, lost) for number, url in enumerate(self.urls)}

    def _stored(self, data: bytes, meta: dict[str, Any]) -> FetchRow:
        return Checks().to_row() | {
            "status": FetchStatus.OK,
            "http_status": _HTTP_OK,
            "data": data,
            "num_bytes": len(data),
            "image_id": sha256_hex(data),
            "format": "jpg",
            "width": meta["width"],
            "height": meta["height"],
            "original_width": meta["original_width"],
            "original_height": meta["original_height"],
            "original_sha256": meta[_SHARD_HASH],
            "original_num_bytes": self._original_num_bytes,
        }


def _img2dataset(module: str) -> Any:
    """Import a module of the extra, which takes seconds, and would ask the network for a newer albumentations."""
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    return importlib.import_module(f"img2dataset.{module}")


def _new_resizer(config: FetchConfig) -> Any:
    resize = config.resize
    return _img2dataset("resizer").Resizer(
        image_size=resize.shorter_side if resize is not None else 0,
        resize_mode="keep_ratio" if resize is not None else "no",
        resize_only_if_bigger=resize is None or resize.only_if_larger,
    )


def _failure(meta: dict[str, Any]) -> FetchError:
    """Return what the free text of a failed sample means."""
    text = str(meta["error_message"])
    told = read_failure(text)
    if told is not None:
        return told
    if text == _OPTED_OUT:
        return FetchError(FetchStatus.OPTED_OUT, text, _HTTP_OK)
    if meta["status"] == "failed_to_resize":
        return FetchError(FetchStatus.BROKEN_IMAGE, text, _HTTP_OK)
    return FetchError(FetchStatus.PROTOCOL_ERROR, text)


def _failed(error: FetchError) -> FetchRow:
    row = {"status": error.status, "http_status": error.http_status, "detail": error.detail}
    return Checks().to_row() | row
