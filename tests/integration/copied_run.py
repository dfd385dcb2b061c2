"""A measured run with copies of both sorts, within and between partitions; what deciding it leaves behind."""

from pathlib import Path

from pipelines.account import account_for
from pipelines.build import decide_and_write
from pipelines.run.context import RunContext
from pipelines.run.manifest import load_manifest
from pipelines.run.workers import Workers
from tests.pipelines.corpus import CLIP, Picture, chat, doc, make_context, measured, pair, write_partition

RECIPE = (
    CLIP
    + """
admit: {url.frequency: {max: 3}}
keep: {image.size: {min: 100}, doc.images: {min: 1}}
dedup: {image: {exact: true, cosine: 0.95}}
shards: {samples: 9}
"""
)
NAMES = ("mmc4-00000-00000", "mmc4-00000-00001", "coyo-00000-00000", "flan-00000-00000")


def measure_copies(root: Path) -> RunContext:
    """Return a run that is measured, and nothing more."""
    context = make_context(root, RECIPE)
    for start, name in ((0, NAMES[0]), (20, NAMES[1])):
        docs = [
            doc(f"{n:03}", f"text {n}", Picture(number=n % 17), Picture(number=n + 40, direction=n % 23))
            for n in range(start, start + 20)
        ]
        write_partition(context, name, docs)
    write_partition(context, NAMES[2], [pair(f"p{n}", Picture(number=100 + n)) for n in range(12)])
    write_partition(context, NAMES[3], [chat(f"c{n}", f"question {n}") for n in range(12)])
    measured(context, *NAMES)
    return context


def decide_everything(context: RunContext, workers: Workers) -> None:
    """Count URLs, propose, judge, settle, finish, plan, write and account, as a run does."""
    built = decide_and_write(workers, context, load_manifest(context))
    account_for(workers, context, built.decided)


def contents(context: RunContext) -> dict[str, bytes]:
    """Return what people see of a run, and its decision."""
    root = Path(context.folder.root)
    places = [root / "shards", root / "decided", root / "ledger.json"]
    paths = [path for place in places for path in ([place] if place.is_file() else sorted(place.rglob("*")))]
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in paths
        if path.is_file() and not path.name.endswith(".partial") and path.name != "report.html"
    }
