import pickle

import pytest

from curate.contract.errors import BlendError, CurateError, PartitionError, RecipeError, SchemaError, ShardError


@pytest.mark.parametrize(
    "error",
    [
        CurateError("a"),
        RecipeError(("a: wrong", "b: wrong")),
        SchemaError("a"),
        PartitionError("fetch", "mmc4-00000-00001", "it broke"),
        BlendError("a"),
        ShardError("a"),
    ],
)
def test_every_error_survives_a_process_border(error: CurateError) -> None:
    back = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(back) is type(error)
    assert str(back) == str(error)
    assert isinstance(back, CurateError)


def test_a_recipe_error_shows_each_fault_on_a_line() -> None:
    assert str(RecipeError(("a: wrong", "b: wrong"))).splitlines() == ["a: wrong", "b: wrong"]


def test_a_partition_error_names_stage_and_partition() -> None:
    assert str(PartitionError("fetch", "p-0", "boom")) == "stage fetch failed on partition p-0: boom"
