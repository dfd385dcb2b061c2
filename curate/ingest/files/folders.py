"""What lies in a folder and those below it, a folder at a time, in an order that does not depend on the machine."""

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import fsspec

from curate.ingest.files.faults import READ_ERRORS, describe_error

_LOCAL = re.compile(r"(?:file|local):(?://)?(?=/)")
_STAMPS = ("size", "mtime", "ETag", "etag", "LastModified", "md5Hash")


@dataclass(kw_only=True, slots=True)
class Listing:
    """One folder."""

    path: str
    """From the outermost folder on, with a slash at its end; empty: that folder itself."""
    files: dict[str, str] = field(default_factory=dict)
    """Names, sorted, of whatever is no folder, links among them; each with what changes when the file does."""
    folders: list[str] = field(default_factory=list)
    """Names, sorted."""
    linked: list[str] = field(default_factory=list)
    """Names of links to folders, which are not followed: they may lead anywhere, and round in circles."""
    error: str = ""
    """Why it cannot be listed; empty: it can."""


def walk_folder(path: str) -> Iterator[Listing]:
    """Yield a folder and all below it, depth first; names that begin with a dot are passed over.

    Only the names of one folder, and of those that lead to it, are in memory at a time.

    Args:
        path: Local path or fsspec URL.

    Raises:
        OSError, ValueError, ImportError: The outermost cannot be listed.
    """
    local = _LOCAL.sub("", path)
    waiting = [""]
    while waiting:
        relative = waiting.pop()
        try:
            listing = (_list_remote if "://" in local else _list_local)(local, relative)
        except READ_ERRORS as error:
            if not relative:
                raise
            listing = Listing(path=relative, error=describe_error(error))
        yield listing
        waiting += [f"{relative}{name}/" for name in reversed(listing.folders)]


def folder_identity(path: str) -> str:
    """Return what changes when a file in a folder does, or one comes or goes: a hash over names, sizes and times."""
    found = hashlib.sha256()
    for listing in walk_folder(path):
        found.update(repr((listing.path, listing.files, listing.linked, listing.error)).encode(errors="replace"))
    return found.hexdigest()


def _list_local(top: str, relative: str) -> Listing:
    listing = Listing(path=relative)
    with os.scandir(os.path.join(top, relative)) as entries:  # noqa: PTH118  # Path drops what keeps names apart
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.name.startswith("."):
                continue
            if not entry.is_dir():
                listing.files[entry.name] = _stamp(entry)
            elif entry.is_symlink():
                listing.linked.append(entry.name)
            else:
                listing.folders.append(entry.name)
    return listing


def _stamp(entry: "os.DirEntry[str]") -> str:
    try:
        found = entry.stat()
    except OSError:  # a link to nothing
        return ""
    return f"{found.st_size} {found.st_mtime_ns}"


def _list_remote(top: str, relative: str) -> Listing:
    filesystem, root = fsspec.url_to_fs(top)
    listing = Listing(path=relative)
    found: list[dict[str, Any]] = filesystem.ls(f"{str(root).rstrip('/')}/{relative}".rstrip("/"), detail=True)
    for entry in sorted(found, key=lambda entry: str(entry["name"])):
        name = str(entry["name"]).rstrip("/").rpartition("/")[2]
        if not name or name.startswith("."):
            continue
        if entry.get("type") == "directory":
            listing.folders.append(name)
        else:
            listing.files[name] = str([entry.get(key) for key in _STAMPS])
    return listing
