"""What the driver hears from the workers: tasks that are done, and partitions that tasks under way announce."""

from dataclasses import dataclass
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from distributed import Client, Future, get_worker


@dataclass(frozen=True, slots=True)
class Announcement:
    """A partition that came into being while its task goes on."""

    task: int
    """Number under which the task's announcer was made."""
    partition: str


@dataclass(frozen=True, slots=True)
class Announcer:
    """Travels with a task, which calls it on its worker; what it says may be lost with the worker."""

    topic: str
    task: int

    def __call__(self, partition: str) -> None:
        """Announce a partition to the driver."""
        get_worker().log_event(self.topic, [self.task, partition])


class Inbox:
    """A queue of news, filled by Dask's threads and taken from by the driver's loop."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._topic = f"curate-{uuid4().hex}"
        self._news = SimpleQueue[Future | Announcement]()

    def __enter__(self) -> Self:
        self._client.subscribe_topic(self._topic, self._hear)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client.status == "running":  # else it has been closed, and nothing is heard any more
            self._client.unsubscribe_topic(self._topic)

    def announcer(self, task: int) -> Announcer:
        """Return what a task announces its partitions with.

        Args:
            task: Any number that tells it from others.
        """
        return Announcer(self._topic, task)

    def expect(self, future: Future) -> None:
        """Have a future among the news once it is done, has failed or was cancelled."""
        future.add_done_callback(self._news.put)

    def take(self) -> Future | Announcement:
        """Wait for the next news."""
        return self._news.get()

    def _hear(self, event: tuple[float, Any]) -> None:
        _, (task, partition) = event
        self._news.put(Announcement(task, partition))
