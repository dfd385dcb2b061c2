"""Every benchmark by its name."""

from collections.abc import Callable, Sequence
from functools import partial

from curate.contract.errors import RecipeError
from pipelines.bench.decode import bench_decode
from pipelines.bench.engine import bench_engine
from pipelines.bench.fetch import bench_fetch
from pipelines.bench.ingest import bench_ingest
from pipelines.bench.loader import bench_loader
from pipelines.bench.plan import bench_plan
from pipelines.bench.row import BenchRow
from pipelines.bench.scale.measure import ScaleOptions, bench_scale
from pipelines.bench.shards import bench_shards
from pipelines.bench.train import bench_train

BENCHES: dict[str, Callable[[], list[BenchRow]]] = {
    "decode": bench_decode,
    "engine": bench_engine,
    "fetch": bench_fetch,
    "ingest": bench_ingest,
    "loader": bench_loader,
    "plan": bench_plan,
    "scale": bench_scale,
    "shards": bench_shards,
    "train": bench_train,
}


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
    benches: dict[str, Callable[[], list[BenchRow]]] = {**BENCHES, "scale": partial(bench_scale, scale)}
    return [row for name, bench in benches.items() if not names or name in names for row in bench()]
