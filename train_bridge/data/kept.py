"""Where what is found of a shard set once is kept: beside the set for all who train on it, or in the cache of a run."""

from contextlib import suppress
from pathlib import Path
from shutil import copyfile

from shards.storage import atomic_path, is_local, open_folder

BESIDE = "token_counts"
"""Folder in that of the set."""


def find_kept(folder: str, name: str, *, cache_dir: str) -> Path | None:
    """Return where a file is, of the cache or beside the set; one beside a remote set is copied to the cache first.

    Args:
        folder: Of the set.
        name: Of the file.
        cache_dir: Of the run.
    """
    own = Path(cache_dir, name)
    if own.exists():
        return own
    file_system, root = open_folder(folder)
    beside = f"{root}/{BESIDE}/{name}"
    if is_local(file_system):
        return Path(beside) if Path(beside).exists() else None
    with suppress(OSError):  # storage that does not answer is told of where the set itself is read
        if file_system.exists(beside):
            with atomic_path(str(own)) as partial:
                file_system.get_file(beside, str(partial))
            return own
    return None


def put_beside(folder: str, paths: list[Path]) -> None:
    """Put files beside a set, each whole or not at all; the last of them last."""
    for path in paths:
        with atomic_path(f"{folder.rstrip('/')}/{BESIDE}/{path.name}") as partial:
            copyfile(path, partial)


def remove_beside(folder: str, prefix: str) -> None:
    """Remove files beside a set whose names begin so."""
    file_system, root = open_folder(folder)
    for entry in file_system.ls(f"{root}/{BESIDE}", detail=False):
        if str(entry).rpartition("/")[2].startswith(prefix):
            file_system.rm_file(entry)
