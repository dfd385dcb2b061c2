import time

import pytest

from curate.fetch.optouts.meta_tags import MAX_BYTES, MAX_TAGS, meta_contents, meta_tags


@pytest.mark.parametrize(
    "tag",
    [
        b"<meta name=robots content=noai>",
        b'<META CONTENT="noai" NAME="Robots" />',
        b"<meta\n\tname = 'robots'\n content = 'noai'>",
        b"<meta/name='robots'/content='noai'>",
        b"<meta data-x='>' name=robots content='no&#97;i'>",
        b"<title>a <meta name=other></title><script>'<!--'</script><meta name=robots content=noai>",
        b"<!-- <meta name=x> --><!--><meta name=robots content=noai>",
    ],
)
def test_every_way_to_write_one_is_read(tag: bytes) -> None:
    for text in (tag, b"\xff\xfe" + tag.decode().encode("utf-16-le")):
        tags = meta_tags(text)
        assert len(tags) == 1
        assert meta_contents(tags, "name", "robots") == ["noai"]


@pytest.mark.parametrize(
    "text",
    [
        b"<!-- <meta name=robots content=noai> -->",
        b"<!-- <meta name=robots content=noai>",
        b"<script>document.write('<meta name=robots content=noai>')</script>",
        b"<noscript><meta http-equiv=refresh content='0;url=/x'></noscript>",
        b"<textarea><meta name=robots content=noai>",
        b"&lt;meta name=robots content=noai>",
        b"<metadata name=robots content=noai>",
        b" " * MAX_BYTES + b"<meta name=robots content=noai>",
    ],
)
def test_what_only_looks_like_one_is_not(text: bytes) -> None:
    assert meta_tags(text) == []


@pytest.mark.parametrize(
    "part", [b"<meta a='", b"<!--", b"<meta ", b"<script", b"<meta  ", b"<title>", b"&#", b"<meta content=\"x'"]
)
def test_hostile_pages_take_no_time(part: bytes) -> None:
    start_s = time.perf_counter()
    assert len(meta_tags(part * (MAX_BYTES // len(part)))) <= MAX_TAGS
    assert time.perf_counter() - start_s < 2
