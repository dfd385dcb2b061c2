"""How work that grows with a corpus is run: a call per named job, in this process or wherever the caller's map runs it.

``shards`` and ``train_bridge`` know no scheduler; ``pipelines`` gives them a map that does.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol, TypeVar

_Job = TypeVar("_Job")
_Found = TypeVar("_Found")


class MapTasks(Protocol):
    """Runs one call on many jobs."""

    def __call__(self, call: Callable[[_Job], _Found], jobs: Mapping[str, _Job], *, phase: str) -> Iterator[_Found]:
        """Yield what the call returns for each job, in any order.

        Args:
            call: Of a module, or a ``functools.partial`` of one; it and all it is given and returns can be pickled.
            jobs: By name, such as that of a shard.
            phase: What is being done, for people.

        Raises:
            CurateError: Some jobs could not be done, wherever they were tried; names them.
        """


def map_here(call: Callable[[_Job], _Found], jobs: Mapping[str, _Job], *, phase: str) -> Iterator[_Found]:
    """Run jobs in this process, one after the other; see ``MapTasks``."""
    del phase
    return map(call, jobs.values())
