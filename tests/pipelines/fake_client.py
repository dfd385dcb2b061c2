"""A client without a cluster, for the logic around tasks."""

from collections.abc import Callable
from typing import Any


class FakeFuture:
    def __init__(self, call: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.call, self.args = call, args

    def result(self) -> Any:
        return self.call(*self.args)


class FakeClient:
    """Runs a task when its result is asked for, in this process."""

    def submit(self, call: Callable[..., Any], *args: Any, **_options: Any) -> FakeFuture:
        return FakeFuture(call, args)

    def scheduler_info(self, **_options: Any) -> dict[str, Any]:
        """Say that no worker offers anything."""
        return {"workers": {}}
