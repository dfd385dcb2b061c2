import subprocess
import sys

import pytest

from curate.contract.errors import RecipeError
from pipelines.bench.table import BENCHES, find_bench, run_benches


@pytest.mark.slow
@pytest.mark.parametrize("name", BENCHES)
def test_every_benchmark_is_where_its_name_says(name: str) -> None:
    assert callable(find_bench(name))


def test_what_a_benchmark_measures_holds_no_library_of_another() -> None:
    found = "import sys; from pipelines.bench.table import find_bench; find_bench('scale')"
    code = f"{found}; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_unknown_names_are_all_named_before_anything_runs() -> None:
    with pytest.raises(RecipeError) as caught:
        run_benches(["engine", "speed", "light"])
    known = ", ".join(BENCHES)
    assert caught.value.faults == (
        f"bench speed: unknown (there are: {known})",
        f"bench light: unknown (there are: {known})",
    )
