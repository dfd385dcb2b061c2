import os
from pathlib import Path

import fsspec
import pytest

from curate.ingest.files.picture_roots import PictureError, PictureRoot, is_below, is_path, read_picture


@pytest.fixture
def root(tmp_path: Path) -> PictureRoot:
    folder = tmp_path / "root"
    (folder / "coco").mkdir(parents=True)
    (folder / "coco" / "a b.jpg").write_bytes(b"J")
    (folder / "empty.jpg").touch()
    (folder / "large.jpg").write_bytes(b"0" * 9)
    (folder / "inner.jpg").symlink_to("coco/a b.jpg")
    (folder / "loop.jpg").symlink_to("loop.jpg")
    (folder / "escape.jpg").symlink_to("../secret.jpg")
    (folder / "up").symlink_to("..")
    (folder / "zero.jpg").symlink_to("/dev/zero")
    (tmp_path / "secret.jpg").write_bytes(b"S")
    (tmp_path / "root2").mkdir()
    (tmp_path / "root2" / "a.jpg").write_bytes(b"S")
    os.mkfifo(folder / "pipe.jpg")
    return PictureRoot(folder=str(folder), max_bytes=8)


def status(root: PictureRoot, address: str) -> str:
    with pytest.raises(PictureError) as caught:
        read_picture(root, address, max_bytes=root.max_bytes)
    return str(caught.value.status)


def test_what_lies_below_is_read(root: PictureRoot) -> None:
    whole = f"{root.folder}/coco/a b.jpg"
    addresses = ("coco/a b.jpg", "./coco//a b.jpg", "coco/../coco/a b.jpg", "inner.jpg", whole, "file:coco/a%20b.jpg")
    for address in (*addresses, f"file://{whole.replace(' ', '%20')}", f"file://localhost{whole}", f"file:{whole}"):
        assert read_picture(root, address, max_bytes=8) == ("coco/a b.jpg", b"J")
    assert read_picture(PictureRoot(folder=f"file://{root.folder}", max_bytes=8), "inner.jpg", max_bytes=8)[1] == b"J"


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("../secret.jpg", "outside_root"),
        ("coco/../../secret.jpg", "outside_root"),
        ("../root2/a.jpg", "outside_root"),
        ("/etc/passwd", "outside_root"),
        ("//etc/passwd", "outside_root"),
        ("file:///etc/passwd", "outside_root"),
        ("file:%2e%2e/secret.jpg", "outside_root"),
        ("file://elsewhere/coco/a.jpg", "outside_root"),
        ("escape.jpg", "outside_root"),
        ("up/secret.jpg", "outside_root"),
        ("zero.jpg", "outside_root"),
        ("pipe.jpg", "not_a_file"),
        ("coco", "not_a_file"),
        (".", "not_a_file"),
        ("none.jpg", "missing_file"),
        ("", "missing_file"),
        ("a\0b", "missing_file"),
        ("a" * 5000, "missing_file"),
        ("a" * 300, "unreadable_file"),
        ("\ud800.jpg", "unreadable_file"),
        ("empty.jpg/a.jpg", "unreadable_file"),
        ("loop.jpg", "not_a_file"),
        ("large.jpg", "too_large"),
        ("empty.jpg", "empty_body"),
    ],
)
def test_what_is_not_to_be_had_says_why(root: PictureRoot, address: str, why: str) -> None:
    assert status(root, address) == why


def test_a_device_within_the_root_is_not_opened() -> None:
    assert status(PictureRoot(folder="/dev", max_bytes=8), "zero") == "not_a_file"


def test_a_store_is_read_by_its_names() -> None:
    with fsspec.open("memory://pictures/in/a.jpg", "wb") as stream:
        stream.write(b"J")
    with fsspec.open("memory://pictures/b.jpg", "wb") as stream:
        stream.write(b"S" * 9)
    root = PictureRoot(folder="memory://pictures/in/", max_bytes=8)
    for address in ("a.jpg", "x/../a.jpg", "memory://pictures/in/a.jpg", "file:a.jpg"):
        assert read_picture(root, address, max_bytes=8) == ("a.jpg", b"J")
    addresses = (
        "../b.jpg",
        "x/../../b.jpg",
        "/pictures/b.jpg",
        "memory://pictures/b.jpg",
        "memory://pictures/in/../b.jpg",
    )
    assert {status(root, address) for address in addresses} == {"outside_root"}
    outer = PictureRoot(folder="memory://pictures", max_bytes=8)
    assert [status(outer, name) for name in ("b.jpg", "in", "c.jpg")] == ["too_large", "not_a_file", "missing_file"]
    assert status(PictureRoot(folder="nosuch://x", max_bytes=8), "a.jpg") == "unreadable_file"


def test_paths_are_told_from_addresses() -> None:
    assert [is_path(one) for one in ("a.jpg", "/a.jpg", "file:///a.jpg", "FILE:a", "a:b.jpg")] == [True] * 5
    assert [is_path(one) for one in ("http://a/b", "s3://a/b", "//a/b", "data:image/png,", "held:a#1")] == [False] * 5
    root = PictureRoot(folder="s3://a/b", max_bytes=8)
    assert [is_below(root, one) for one in ("c", "s3://a/b/c", "s3://a/bc", "http://a")] == [True, True, False, False]
