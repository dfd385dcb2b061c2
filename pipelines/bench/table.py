"""Every benchmark by its name."""

import pkgutil
from collections.abc import Callable, Sequence
from functools import partial

from curate.contract.errors import RecipeError
from pipelines.bench.row import BenchRow
from pipelines.bench.scale.measure import ScaleOptions

BENCHES = {
    "decode": "pipelines.bench.decode:bench_decode",
    "engine": "pipelines.bench.engine:bench_engine",
    "fetch": "pipelines.bench.fetch:bench_fetch",
    "ingest": "pipelines.bench.ingest:bench_ingest",
    "loader": "pipelines.bench.loader:bench_loader",
    "plan": "pipelines.bench.plan:bench_plan",
    "scale": "pipelines.bench.scale.measure:bench_scale",
    "shards": "pipelines.bench.shards:bench_shards",
    "train": "pipelines.bench.train:bench_train",
}
"""Where each is. It is imported when it is run: torch alone is 500 MB, which would count as memory of others."""


def run_benches(names: Sequence[str], *, scale: ScaleOptions | None = None) -> list[BenchRow]:
    """Run the named benchmarks, or all of them.

    Args:
        names: Of benchmarks; empty: all.
        scale: What ``scale`` measures.

    Raises:
        RecipeError: There is no benchmark of that name.
    """
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        raise RecipeError(tuple(f"bench {name}: unknown (there are: {', '.join(BENCHES)})" for name in unknown))
    return [row for name in BENCHES if not names or name in names for row in find_bench(name, scale=scale)()]


def find_bench(name: str, *, scale: ScaleOptions | None = None) -> Callable[[], list[BenchRow]]:
    """Import a benchmark.

    Args:
        name: Of ``BENCHES``.
        scale: What ``scale`` measures.
    """
    found: Callable[..., list[BenchRow]] = pkgutil.resolve_name(BENCHES[name])
    return partial(found, scale) if name == "scale" else found
