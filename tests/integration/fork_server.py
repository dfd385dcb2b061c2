"""Processes that start in milliseconds: they are forked from a server that has imported what they need.

Python keeps one such server per process, with the imports that were asked for when it started; each user of it
therefore starts it anew.
"""

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from typing import Any


@contextmanager
def fork_server(*modules: str) -> Iterator[ForkServerContext]:
    """Give a context whose processes have ``modules`` imported."""
    server: Any = forkserver._forkserver  # Python's own tests stop it like this, too
    server._stop()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(modules))
    try:
        yield context
    finally:
        server._stop()
