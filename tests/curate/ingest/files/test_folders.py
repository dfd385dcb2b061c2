from pathlib import Path

import fsspec
import pytest

from curate.ingest.files.folders import folder_identity, walk_folder


def fill(folder: Path) -> Path:
    for name in ("b.jpg", "a.jpg", ".hidden.jpg", "z/c.jpg", "y/x/d.jpg", ".git/e.jpg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"J")
    (folder / "loop").symlink_to(".")
    (folder / "gone.jpg").symlink_to("nothing")
    return folder


def test_folders_come_sorted_and_links_to_them_are_not_followed(tmp_path: Path) -> None:
    found = [(one.path, list(one.files), one.linked) for one in walk_folder(str(fill(tmp_path)))]
    assert found == [
        ("", ["a.jpg", "b.jpg", "gone.jpg"], ["loop"]),
        ("y/", [], []),
        ("y/x/", ["d.jpg"], []),
        ("z/", ["c.jpg"], []),
    ]
    assert [one.path for one in walk_folder(f"file://{tmp_path}")] == ["", "y/", "y/x/", "z/"]


def test_a_folder_that_is_none_raises(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path / "a.txt"):
        (tmp_path / "a.txt").touch()
        with pytest.raises(OSError, match=r"directory"):
            list(walk_folder(str(path)))


def test_a_store_is_walked_likewise() -> None:
    for name in ("b.jpg", "a.jpg", "y/c.jpg"):
        with fsspec.open(f"memory://walked/{name}", "wb") as stream:
            stream.write(b"J")
    assert [(one.path, list(one.files)) for one in walk_folder("memory://walked")] == [
        ("", ["a.jpg", "b.jpg"]),
        ("y/", ["c.jpg"]),
    ]


def test_identity_changes_with_any_file(tmp_path: Path) -> None:
    first = folder_identity(str(fill(tmp_path)))
    assert folder_identity(str(tmp_path)) == first
    (tmp_path / "y" / "x" / "d.jpg").write_bytes(b"JJ")
    second = folder_identity(str(tmp_path))
    (tmp_path / "z" / "c.jpg").rename(tmp_path / "z" / "d.jpg")
    assert len({first, second, folder_identity(str(tmp_path))}) == 3
