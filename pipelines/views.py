"""What the command line shows: tables of input, progress, ledger and benchmarks."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from curate.contract.errors import CurateError
from curate.report.data import TruthFigure
from pipelines.inventory import list_decisions, list_sets
from pipelines.run.folder import RunFolder, read_json

if TYPE_CHECKING:  # these import torch and Dask
    from pipelines.inventory import Removable
    from pipelines.run.context import RunContext
    from pipelines.session import Finished
    from pipelines.takedown.remove import Removed
    from pipelines.write.blend_plan import Planned

BYTES_PER_MB = 1e6
NUM_FIRST_FAULTS, NUM_HOSTS = 3, 10
"""Of a file, and of all files, that a dry run shows."""
DRY_CONTACT = "mailto:nobody@dry-run.invalid"
"""Stands for a contact that a recipe does not have yet, while nothing is fetched."""
console = Console(highlight=False, soft_wrap=True, emoji=False)  # ":100:" is a line of a file


def show_input(context: "RunContext") -> None:
    """List what a recipe would read, with the first records of each file, and the stages they would go through."""
    from pipelines.engine.cluster import GPU  # noqa: PLC0415 - imports Dask
    from pipelines.road import ROAD  # noqa: PLC0415 - imports torch and Dask
    from pipelines.stages.ingest import input_files  # noqa: PLC0415 - ditto
    from pipelines.stages.preview import MAX_RECORDS, preview_file  # noqa: PLC0415 - ditto

    table = Table("source", "type", "file", "documents", "images", "faults")
    hosts, faults, is_whole = Counter[str](), list[str](), True
    for file in input_files(context):
        seen = preview_file(file)
        more = "" if seen.is_whole else "+"
        counts = (f"{number:,}{more}" for number in (seen.num_documents, seen.num_images, len(seen.faults)))
        table.add_row(file.source.name, file.source.type, escape(file.label), *counts)
        hosts, is_whole = hosts + seen.hosts, is_whole and seen.is_whole
        faults += seen.faults[:NUM_FIRST_FAULTS]
    console.print(table)
    if not is_whole:
        console.print(f"+: of the first {MAX_RECORDS:,} records; the file has more")
    for detail in faults:
        console.print(detail, markup=False)
    if hosts:
        first = ", ".join(f"{host} ({count:,})" for host, count in hosts.most_common(NUM_HOSTS))
        console.print(f"hosts that would be asked: {len(hosts):,}, most often {first}", markup=False)
    sources = context.recipe.sources
    road = Table("stage", "one task per", "does", "sources")
    for spec in ROAD:
        names = [source.name for source in sources if spec.applies(context.recipe, source)]
        if names:
            where = f"{spec.per}, on a GPU where there is one" if GPU in (spec.resources or {}) else spec.per
            road.add_row(spec.stage, where, spec.does, "all" if len(names) == len(sources) else ", ".join(names))
    console.print(road)
    console.print("the recipe is good; nothing was run")
    if context.recipe.fetch.contact == DRY_CONTACT:
        console.print("fetch.contact: to be set before it runs; site owners reach you there", markup=False)


def show_finished(finished: "Finished") -> None:
    """Say where everything is and what came of it."""
    root = finished.context.folder.root
    show_ledger(finished.account.ledger)
    shards = f"{root}/shards/{finished.context.recipe.blend.name}"
    show_places({"shards": shards, "ledger": f"{root}/ledger.json", "report": f"{root}/report.html"})


def show_ledger(ledger: Mapping[str, Any]) -> None:
    """Print kept and rejected documents and images per source."""
    table = Table("source", "unit", "in", "kept", "rejected, by reason")
    for name, counts in {**ledger["sources"], "total": ledger["totals"]}.items():
        for unit in ("documents", "images"):
            rejected = sorted(counts[unit]["rejected"].items(), key=lambda pair: (-pair[1], pair[0]))
            reasons = ", ".join(f"{reason} {number:,}" for reason, number in rejected)
            numbers = (f"{counts[unit]['in']:,}", f"{counts[unit]['kept']:,}")
            table.add_row(escape(name), unit, *numbers, escape(reasons))
    console.print(table)
    for fault in ledger.get("faults", []):
        console.print(f"{fault['reason']}  {fault['detail']}", markup=False)


def show_plan(planned: "Planned") -> None:
    """Print a planned blend, each line beside that of the plan it is compared with."""
    plans = [("planned", planned.summary)]
    plans = plans if planned.other is None else [(f"{planned.other_name} (written)", planned.other), *plans]
    table = Table("", "plan", "weight", "share wanted", "share got", "samples", "images", "tokens", "most uses")
    for name in sorted({name for _, summary in plans for name in summary["entries"]}):
        for title, summary in plans:
            entry = summary["entries"].get(name)
            table.add_row(name, title, *(_plan_cells(entry) if entry is not None else ["-"]))
        table.add_section()
    for title, summary in plans:
        numbers = [f"{summary[unit]:,}" for unit in ("samples", "images", "tokens")]
        table.add_row("total", title, "", "", "", *numbers, "")
    console.print(table)
    for title, summary in plans:
        total, tokens = summary["total"], summary.get("tokens_by", "an estimate")
        console.print(
            f"{title}: shares of {summary['unit']}; largest total {total['largest']:,}, bound by {total['binding']}; "
            f"tokens by {tokens}",
            markup=False,
        )
    free = "" if planned.free_bytes is None else f", {planned.free_bytes / BYTES_PER_MB:,.0f} MB free"
    shards, spool = planned.disk_bytes / BYTES_PER_MB, planned.spool_bytes / BYTES_PER_MB
    console.print(
        f"disk: about {shards:,.1f} MB, and up to {spool:,.1f} MB more while it is written{free}; no shard was written"
    )


def _plan_cells(entry: Mapping[str, Any]) -> list[str]:
    weight = entry["weight"]
    written = ", ".join(f"{place}: {value:g}" for place, value in weight.items()) if isinstance(weight, dict) else ""
    return [
        written or f"{weight:g}",
        f"{entry['wanted_share']:.4f}",
        f"{entry['got_share']:.4f}",
        *(f"{entry['drawn'][unit]:,}" for unit in ("samples", "images", "tokens")),
        str(entry["most_repeats"]),
    ]


def show_truth(figures: Sequence[TruthFigure]) -> None:
    """Print what a demo run reached against the ground truth."""
    table = Table("against ground truth", "share", "target", "cases", "")
    for figure in figures:
        value = "" if figure.value is None else f"{figure.value:.3f}"
        target = "" if figure.target is None else f"{figure.target:.2f}"
        table.add_row(figure.name, value, target, f"{figure.num_cases:,}", "" if figure.passed else "[red]missed[/red]")
    console.print(table)


def show_losses(losses: Sequence[tuple[str, float, float]]) -> None:
    """Print (stage, first loss, last loss)."""
    table = Table("stage", "loss at first", "loss at last")
    for stage, first, last in losses:
        table.add_row(stage, f"{first:.3f}", f"{last:.3f}")
    console.print(table)


def show_places(places: Mapping[str, object]) -> None:
    """Print where things are."""
    for name, place in places.items():
        console.print(f"{name:<11}{place}", markup=False)


def show_status(out: str, *, as_json: bool) -> None:
    """Print a run's state and, if there is one, its ledger.

    Raises:
        CurateError: There is no run in the folder.
    """
    state, ledger = read_json(f"{out}/state.json"), read_json(f"{out}/ledger.json")
    if state is None:
        raise CurateError(f"{out}: no run here")
    if as_json:
        folder = RunFolder(out.rstrip("/"))
        sets, decisions = ([asdict(one) for one in found] for found in (list_sets(folder), list_decisions(folder)))
        whole = {"state": state, "ledger": ledger, "shard_sets": sets, "decisions": decisions}
        print(json.dumps(whole, indent=2))  # noqa: T201 - for programs
        return
    console.print(f"{state['status']}: {state['phase']}, {state['done']} of {state['total']} tasks", markup=False)
    show_inventory(RunFolder(out.rstrip("/")))
    if ledger is not None:
        show_ledger(ledger)


def show_inventory(folder: RunFolder) -> None:
    """Print the shard sets and the decisions of a run."""
    for one in list_sets(folder):
        of = f", of decision {one.decision}" if one.decision else ""
        state = "" if one.is_finished else " (not finished)"
        console.print(f"shard set {one.name}{state}: {one.num_samples:,} samples{of}", markup=False)
    for decision in list_decisions(folder):
        use = f"of {', '.join(decision.used_by)}" if decision.used_by else "unused; curate clean removes it"
        state = "" if decision.is_finished else " (not finished)"
        console.print(f"decision {decision.name}{state}: {use}", markup=False)


def show_removable(found: "Sequence[Removable]", *, is_removed: bool) -> None:
    """Print what ``curate clean`` finds, and whether it is gone."""
    table = Table("MB", "what", "why")
    for one in found:
        table.add_row(f"{one.size_bytes / 1e6:,.1f}", escape(one.path), one.why)
    if found:
        console.print(table)
    total = f"{sum(one.size_bytes for one in found) / 1e6:,.1f} MB"
    told = f"removed {total}" if is_removed else f"{total} to remove; --yes removes it"
    console.print(told if found else "nothing to remove")


def show_removed(removed: "Removed") -> None:
    """Print what a takedown came to."""
    console.print(f"taken down: {removed.num_documents:,} documents, {removed.num_images:,} images")
    if not removed.num_images and not removed.num_documents:
        console.print("nothing on the list is in this run; check its spelling. What is on it will not be fetched")
    for name, number in removed.rewritten.items():
        console.print(f"shard set {name}: {number:,} shards written again", markup=False)


def show_benches(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print benchmark rows; a ratio above 1 means that we are better."""
    table = Table(
        *(Column(name, overflow="fold") for name in ("case", "unit", "ours", "peer's", "ratio", "runs", "peer"))
    )
    for row in rows:
        ratio = "" if row["ratio"] is None else f"{row['ratio']:.2f}"
        theirs = "" if row["peer_value"] is None else _figure(row["peer_value"])
        case, ours = f"{row['bench']} {row['case']}", _figure(row["ours"])
        table.add_row(case, row["unit"], ours, theirs, ratio, str(row["runs"]), row["peer"])
    console.print(table)


def _figure(value: float) -> str:
    return f"{value:,.1f}" if value >= 1 else f"{value:.3g}"
