from pathlib import Path

import fsspec

from train_bridge.data.kept import BESIDE, find_kept, put_beside, remove_beside


def test_what_is_beside_a_set_is_used_where_it_lies(tmp_path: Path) -> None:
    folder, cache = tmp_path / "set", tmp_path / "cache"
    (folder / BESIDE).mkdir(parents=True)
    assert find_kept(str(folder), "file", cache_dir=str(cache)) is None
    (folder / BESIDE / "file").write_bytes(b"beside")
    assert find_kept(str(folder), "file", cache_dir=str(cache)) == folder / BESIDE / "file"
    cache.mkdir()
    (cache / "file").write_bytes(b"own")
    assert find_kept(str(folder), "file", cache_dir=str(cache)) == cache / "file"


def test_what_is_beside_a_remote_set_is_copied_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"counts")
    put_beside("memory://kept-test/set", [tmp_path / "file"])
    system = fsspec.filesystem("memory")
    assert system.cat_file("/kept-test/set/token_counts/file") == b"counts"
    found = find_kept("memory://kept-test/set", "file", cache_dir=str(tmp_path / "cache"))
    assert found == tmp_path / "cache" / "file"
    assert found.read_bytes() == b"counts"
    system.rm("/kept-test/set", recursive=True)
    assert find_kept("memory://kept-test/set", "file", cache_dir=str(tmp_path / "cache")) == found
    assert find_kept("memory://kept-test/set", "other", cache_dir=str(tmp_path / "cache")) is None


def test_files_beside_a_set_go_by_the_start_of_their_names(tmp_path: Path) -> None:
    (tmp_path / BESIDE).mkdir()
    for name in ("a.part-0", "a.part-10", "a", "b.part-0"):
        (tmp_path / BESIDE / name).touch()
    remove_beside(str(tmp_path), "a.part-")
    assert sorted(path.name for path in (tmp_path / BESIDE).iterdir()) == ["a", "b.part-0"]
