import pytest

from curate.contract.errors import RecipeError
from pipelines.bench.table import BENCHES, run_benches


def test_every_benchmark_has_its_name() -> None:
    assert {"engine", "shards"} <= set(BENCHES)


def test_unknown_names_are_all_named_before_anything_runs() -> None:
    with pytest.raises(RecipeError) as caught:
        run_benches(["engine", "speed", "light"])
    known = ", ".join(BENCHES)
    assert caught.value.faults == (
        f"bench speed: unknown (there are: {known})",
        f"bench light: unknown (there are: {known})",
    )
