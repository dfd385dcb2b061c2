import time

import pytest

from curate.fetch.decode.sniff import image_format, markup_kind, webp_size
from tests.curate.fetch import samples


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF", "JPEG2000"])
def test_image_formats(kind: str) -> None:
    data = samples.encoded(samples.picture(), kind)
    assert image_format(data) == kind
    assert image_format(data[:3]) in {kind, None}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"BMW drives",
        b"RIFF\0\0\0\0AVI LIST",
        b"\0\0\0\x18ftypisom\0\0\0\0isommp42",
        b"\0\0\0\0ftyp",
        b"II+\0",
        b"<svg>",
    ],
)
def test_not_an_image_format(data: bytes) -> None:
    assert image_format(data) is None


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"<!DOCTYPE html><p>", "html"),
        (b"\xef\xbb\xbf\n <HTML lang=en>", "html"),
        (b"<!-- a --> <!-- b --><html>", "html"),
        (b'<?xml version="1.0"?>\n<!DOCTYPE html PUBLIC "x"><html>', "html"),
        (b'<?xml version="1.0"?><!-- x --><svg>', "svg"),
        (b"<!DOCTYPE svg PUBLIC>", "svg"),
        (b"<htmlx>", None),
        (b"<p>words", "html"),
        (b"<title>t", "html"),
        (b"<path d=x>", None),
        (b'<?xml version="1.0"?><rss>', None),
        (b"\xff\xfe" + "<!doctype html>".encode("utf-16-le"), "html"),
        (b"words <html>", None),
        (b"", None),
    ],
)
def test_markup(data: bytes, kind: str | None) -> None:
    assert markup_kind(data) == kind


def test_hostile_markup_takes_no_time() -> None:
    started_s = time.thread_time()  # a busy machine takes none of it
    assert markup_kind(b"<!---->" * 500) is None
    assert markup_kind(b"<?xml ?>" * 500) is None
    assert time.thread_time() - started_s < 0.5


@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0"}])
def test_webp_size(options: dict[str, object]) -> None:
    data = samples.encoded(samples.picture(), "WEBP", **options)
    assert webp_size(data) == (samples.WIDTH, samples.HEIGHT)
    assert webp_size(data[:18]) is None
