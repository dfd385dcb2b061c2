"""Pictures below a folder that the recipe declares: what lies outside of it is never opened."""

import os
import posixpath
import re
import stat
from dataclasses import dataclass
from urllib.parse import unquote

import fsspec

from curate.contract.reasons import FetchStatus
from curate.ingest.files.faults import READ_ERRORS, describe_error

_MAX_PATH_CHARS = 4096  # PATH_MAX
_LOCAL = re.compile(r"(?:file|local):(?://)?(?=/)")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?=//)")
_FILE = "file:"
_OWN_HOSTS = frozenset({"", "localhost"})


class PictureError(Exception):
    """A picture that cannot be taken from a folder; never leaves this package."""

    def __init__(self, status: FetchStatus, what: str) -> None:
        super().__init__(status, what)
        self.status, self.what = status, what


@dataclass(frozen=True, kw_only=True, slots=True)
class PictureRoot:
    """A folder whose files may be read."""

    folder: str
    """An absolute path, or a URL that fsspec opens."""
    max_bytes: int
    """Of one picture."""


def is_path(address: str) -> bool:
    """Return whether an address of a picture names a file: by a path or by ``file:``."""
    text = address.lstrip().lower()
    return text.startswith(_FILE) or not (_SCHEME.match(text) or text.startswith(("//", "data:", "held:")))


def is_below(root: PictureRoot, address: str) -> bool:
    """Return whether an address is to be read from a root: a path, or a URL that begins as the root does."""
    return is_path(address) or address.startswith(root.folder.rstrip("/") + "/")


def read_picture(root: PictureRoot, address: str, *, max_bytes: int) -> tuple[str, bytes]:
    """Return the path of a file from its root on, and its bytes.

    Symbolic links and ``..`` are followed first: where that leads has to be below the root and a regular file. On
    object stores, which have no links, ``..`` is all there is.

    Args:
        root: The folder.
        address: A path from it on, a whole one that lies in it, or either behind ``file:``, then with %-escapes.
        max_bytes: At most as many are read; a larger file is an error.

    Raises:
        PictureError: OUTSIDE_ROOT, MISSING_FILE, NOT_A_FILE, TOO_LARGE, EMPTY_BODY or UNREADABLE_FILE.
    """
    path = _path_of(address)
    if not path or "\0" in path or len(path) > _MAX_PATH_CHARS:
        raise PictureError(FetchStatus.MISSING_FILE, "no file can have this name")
    local = _LOCAL.sub("", root.folder)
    try:
        name, data = (_read_remote if "://" in local else _read_local)(local, path, max_bytes)
    except FileNotFoundError as error:
        raise PictureError(FetchStatus.MISSING_FILE, "no such file") from error
    except READ_ERRORS as error:
        raise PictureError(FetchStatus.UNREADABLE_FILE, describe_error(error)) from error
    if len(data) > max_bytes:
        raise PictureError(FetchStatus.TOO_LARGE, f"more than {max_bytes} bytes")
    if not data:
        raise PictureError(FetchStatus.EMPTY_BODY, "no bytes")
    return name, data


def _path_of(address: str) -> str:
    if not address.lower().startswith(_FILE):
        return address
    rest = address[len(_FILE) :]
    if rest.startswith("//"):
        host, _, rest = rest[2:].partition("/")
        if host.lower() not in _OWN_HOSTS:
            raise PictureError(FetchStatus.OUTSIDE_ROOT, f"on the machine {host[:80]!r}")
        rest = f"/{rest}"
    return unquote(rest)


def _read_local(folder: str, path: str, max_bytes: int) -> tuple[str, bytes]:
    top = os.path.realpath(folder)
    whole = os.path.realpath(os.path.join(top, path))  # noqa: PTH118  # pathlib's resolve raises on loops of links
    if os.path.commonpath([top, whole]) != top:
        raise PictureError(FetchStatus.OUTSIDE_ROOT, "leads out of the folder that the recipe declares")
    _require_file(os.lstat(whole), max_bytes)
    # Between the two looks somebody may put a pipe in its place: that must not block, nor a link be followed.
    opened = os.open(whole, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(opened, "rb") as file:  # noqa: PTH123
        _require_file(os.fstat(opened), max_bytes)
        return os.path.relpath(whole, top), file.read(max_bytes + 1)


def _require_file(found: os.stat_result, max_bytes: int) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise PictureError(FetchStatus.NOT_A_FILE, "no regular file")
    if found.st_size > max_bytes:
        raise PictureError(FetchStatus.TOO_LARGE, f"{found.st_size} bytes")


def _read_remote(folder: str, path: str, max_bytes: int) -> tuple[str, bytes]:
    path = path.removeprefix(folder.rstrip("/") + "/")
    name = posixpath.normpath(path)
    if _SCHEME.match(path) or name.startswith("/") or name.split("/")[0] == "..":
        raise PictureError(FetchStatus.OUTSIDE_ROOT, "leads out of the folder that the recipe declares")
    filesystem, top = fsspec.url_to_fs(folder)
    whole = f"{str(top).rstrip('/')}/{name}"
    found = filesystem.info(whole)
    if found.get("type") != "file":
        raise PictureError(FetchStatus.NOT_A_FILE, "no file")
    if (found.get("size") or 0) > max_bytes:
        raise PictureError(FetchStatus.TOO_LARGE, f"{found['size']} bytes")
    with filesystem.open(whole, "rb") as file:
        return name, file.read(max_bytes + 1)
