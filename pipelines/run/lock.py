"""One command at a time works in a run folder: two would race for its files.

On a local disk the kernel holds the lock, and gives it back when the process dies. Elsewhere it is a lease: a small
file that says who works here and until when, renewed while the work goes on. Object stores do not promise that only one
of two writers wins, so the file is read back a moment after it was written.
"""

import fcntl
import os
import secrets
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from curate.contract.errors import CurateError
from pipelines.run.folder import RunFolder, read_json, write_json
from shards.storage import remove_file

LEASE_S = 120.0
"""That a lease lasts: after a crash the folder is free again then."""
RENEWAL_S = 20.0
READ_BACK_S = 1.0
"""After which another writer's file would have taken the place of ours."""


@contextmanager
def only_run(folder: RunFolder) -> Iterator[None]:
    """Hold the lock of a run folder.

    Raises:
        CurateError: Another command works there.
    """
    if "://" in folder.root:
        with _leased(folder):
            yield
        return
    Path(folder.root).mkdir(parents=True, exist_ok=True)
    with Path(folder.root, ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CurateError(
                f"{folder.root}: another run is working here; wait for it or give another --out"
            ) from error
        yield


@contextmanager
def _leased(folder: RunFolder) -> Iterator[None]:
    path, token = folder.file("lock.json"), secrets.token_hex(8)
    _refuse_other(path, token)
    _write(path, token)
    time.sleep(READ_BACK_S)
    _refuse_other(path, token)
    is_over = threading.Event()
    thread = threading.Thread(target=_renew, args=(path, token, is_over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
        if (read_json(path) or {}).get("owner") == token:
            remove_file(path)


def _refuse_other(path: str, token: str) -> None:
    """Raise CurateError where somebody else's lease has not run out."""
    lease: dict[str, Any] = read_json(path) or {}
    if lease and lease["owner"] != token and lease["until_s"] > time.time():
        left_s = lease["until_s"] - time.time()
        raise CurateError(
            f"{path}: another run is working here, process {lease['process']} on {lease['host']}; wait for it or give "
            f"another --out (if it has died, the folder is free in {left_s:.0f} s)"
        )


def _write(path: str, token: str) -> None:
    until_s = round(time.time() + LEASE_S, 3)
    write_json(path, {"owner": token, "host": socket.gethostname(), "process": os.getpid(), "until_s": until_s})


def _renew(path: str, token: str, is_over: threading.Event) -> None:
    while not is_over.wait(RENEWAL_S):
        try:
            if (read_json(path) or {}).get("owner", token) != token:
                print(f"{path}: another run has taken this folder; stop one of the two", file=sys.stderr)  # noqa: T201
                return
            _write(path, token)
        except (OSError, CurateError) as error:  # the store is away for a moment: the lease may still hold
            print(f"{path}: the lease could not be renewed ({error})", file=sys.stderr)  # noqa: T201
