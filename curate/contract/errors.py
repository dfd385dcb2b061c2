"""Exceptions that cross process borders.

CurateError
├── RecipeError          the recipe is wrong; nothing was started (exit 2)
├── SchemaError          a stage's table does not have its schema
├── PartitionError       a partition could not be processed after retries (exit 1)
├── BlendError           weights or totals that the pool cannot meet (exit 2)
└── ShardError           a shard, index or manifest that cannot be read (exit 1)
    └── StorageError     the storage refuses or does not answer: what is there may be sound, and come another time

All take positional arguments only and keep them in ``args``, so that they survive pickling.
"""


class CurateError(Exception):
    """Base of the project's errors; its text is one line for a person: what, where, what to do."""


class RecipeError(CurateError):
    """One or more faults of a recipe, each a line ``path: what is wrong (hint)``."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        super().__init__(faults)
        self.faults = faults

    def __str__(self) -> str:
        return "\n".join(self.faults)


class SchemaError(CurateError):
    """A table at a stage boundary has other columns than its schema."""


class PartitionError(CurateError):
    """A stage failed on a partition."""

    def __init__(self, stage: str, partition: str, cause: str) -> None:
        super().__init__(stage, partition, cause)
        self.stage, self.partition, self.cause = stage, partition, cause

    def __str__(self) -> str:
        return f"stage {self.stage} failed on partition {self.partition}: {self.cause}"


class BlendError(CurateError):
    """A blend that the pool cannot give."""


class ShardError(CurateError):
    """A shard set that does not hold together."""


class StorageError(ShardError):
    """Storage that refuses or does not answer; asking again may help."""
