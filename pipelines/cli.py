"""The command line. Exit codes: 0 done, 1 the work failed or a fault was found, 2 wrong usage or recipe."""

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from curate.contract.errors import BlendError, CurateError, RecipeError
from pipelines import views
from pipelines.train_command import count_command, train_command
from shards.export.names import ExportFormat

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False, help=__doc__)
errors = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)

Out = Annotated[str | None, typer.Option(help="Run folder, local or a URL; default runs/NAME-OF-RECIPE.")]
OutArgument = Annotated[str, typer.Argument(help="Run folder, local or a URL.")]
Sets = Annotated[list[str] | None, typer.Option("--set", metavar="KEY.KEY=VALUE", help="Override a key; repeatable.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Worker processes on this machine; default one per CPU.")]
Scheduler = Annotated[str | None, typer.Option(metavar="ADDR", help="Join a running Dask cluster, tcp://HOST:PORT.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]


@app.command()
def run(  # noqa: PLR0913 - one parameter per option
    recipe: Annotated[Path, typer.Argument(help="YAML recipe.")],
    *,
    out: Out = None,
    sets: Sets = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Documents per input file, for a trial.")] = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the recipe and list its input, run nothing.")
    ] = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Fetch transient failures again.")] = False,
    debug: Debug = False,
) -> None:
    """Build a corpus from a recipe; run it again to resume or to apply changed rules."""
    with _errors_to_exit_codes(debug=debug):
        from pipelines.session import RunOptions, open_context, run_recipe  # noqa: PLC0415 - imports torch and Dask

        options = RunOptions(
            out=str(out or Path("runs", recipe.stem)),
            overrides=sets or (),
            limit=limit,
            workers=workers,
            scheduler=scheduler,
            retry_failed=retry_failed,
        )
        if dry_run:
            views.show_input(open_context(str(recipe), options, contact=views.DRY_CONTACT))
            return
        finished = run_recipe(str(recipe), options)
        views.show_finished(finished)
        if finished.account.unreadable_sources:
            raise CurateError(finished.account.describe_unreadable())


@app.command()
def init(
    files: Annotated[
        list[str], typer.Argument(help="Lists of pages, MMC4 records, pairs, instructions, tars, folders.")
    ],
    *,
    out: Annotated[Path | None, typer.Option(help="Recipe to write; default standard output.")] = None,
    debug: Debug = False,
) -> None:
    """Guess what files hold and write a commented recipe for them."""
    with _errors_to_exit_codes(debug=debug):
        from pipelines.recipes.guess import SCHEMA_NAME, write_recipe  # noqa: PLC0415 - keeps --help fast
        from pipelines.recipes.reference import recipe_schema  # noqa: PLC0415

        text = write_recipe(files, folder=out.parent if out is not None else Path())
        if out is None:
            typer.echo(text, nl=False)
        else:
            out.write_text(text, encoding="utf-8")
            out.with_name(SCHEMA_NAME).write_text(recipe_schema(), encoding="utf-8")


@app.command()
def schema(
    *,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print it as a page for people.")] = False,
    debug: Debug = False,
) -> None:
    """Print the JSON schema of a recipe, by which editors complete keys."""
    with _errors_to_exit_codes(debug=debug):
        from pipelines.recipes.reference import recipe_reference, recipe_schema  # noqa: PLC0415 - keeps --help fast

        typer.echo(recipe_reference() if markdown else recipe_schema(), nl=False)


@app.command()
def status(out: OutArgument, *, as_json: Annotated[bool, typer.Option("--json")] = False, debug: Debug = False) -> None:
    """Show a run's progress and ledger."""
    with _errors_to_exit_codes(debug=debug):
        views.show_status(out, as_json=as_json)


@app.command()
def blend(  # noqa: PLR0913 - one parameter per option
    out: OutArgument,
    *,
    name: Annotated[str | None, typer.Option(help="Of the shard set; default: a new one.")] = None,
    sets: Sets = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan, write no shard.")] = False,
    compare: Annotated[
        str | None, typer.Option(metavar="NAME", help="Shard set to lay the plan beside; implies --dry-run.")
    ] = None,
    debug: Debug = False,
) -> None:
    """Decide and blend a finished run again, under other rules or weights, into a shard set beside the first."""
    with _errors_to_exit_codes(debug=debug):
        from pipelines.session import RunOptions, blend_again, plan_blend_again  # noqa: PLC0415 - imports Dask

        overrides = [*(sets or ()), *([f"blend.name={name}"] if name else [])]
        options = RunOptions(out=out, overrides=overrides, workers=workers, scheduler=scheduler)
        if dry_run or compare is not None:
            views.show_plan(plan_blend_again(options, compare=compare))
            return
        views.show_finished(blend_again(options))


@app.command()
def verify(
    path: Annotated[str, typer.Argument(help="Run folder or shard set, local or a URL.")],
    *,
    deep: Annotated[bool, typer.Option("--deep", help="Also decode every image.")] = False,
    repair_index: Annotated[
        bool, typer.Option("--repair-index", help="First rebuild index, Energon files and manifest from the tars.")
    ] = False,
    workers: Workers = None,
    scheduler: Scheduler = None,
    debug: Debug = False,
) -> None:
    """Check shards, index and ledger of a run folder or of one shard set; exit 1 and say every fault."""
    with _errors_to_exit_codes(debug=debug):
        from pipelines import verify as checks  # noqa: PLC0415 - keeps --help fast
        from pipelines.run.mapped import ClusterOptions  # noqa: PLC0415 - ditto

        cluster = ClusterOptions(workers=workers, scheduler=scheduler)
        for line in checks.repair(path, cluster=cluster) if repair_index else ():
            typer.echo(line)
        faults = checks.verify(path, deep=deep, cluster=cluster)
        for fault in faults:
            errors.print(fault, markup=False)
        if faults:
            raise typer.Exit(EXIT_FAILED)
        typer.echo(f"{path}: good")


@app.command()
def report(
    out: OutArgument,
    *,
    name: Annotated[str | None, typer.Option(help="Of the shard set; default: the one written last.")] = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
    debug: Debug = False,
) -> None:
    """Write ledger.json and report.html of a shard set again."""
    with _errors_to_exit_codes(debug=debug):
        from pipelines.session import RunOptions, report_again  # noqa: PLC0415 - imports torch and Dask

        report_again(RunOptions(out=out, workers=workers, scheduler=scheduler), name=name)
        typer.echo(f"{out.rstrip('/')}/report.html")


@app.command()
def clean(
    out: OutArgument,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Remove it; without, it is only listed.")] = False,
    debug: Debug = False,
) -> None:
    """List, and with --yes remove, what no shard set of a run needs: unused decisions, leftovers of killed runs."""
    with _errors_to_exit_codes(debug=debug):
        from pipelines import inventory  # noqa: PLC0415 - keeps --help fast
        from pipelines.run.folder import RunFolder  # noqa: PLC0415 - ditto
        from pipelines.run.lock import only_run  # noqa: PLC0415 - ditto

        folder = RunFolder(out.rstrip("/"))
        found = inventory.list_removable(folder)
        views.show_removable(found, is_removed=yes)
        if yes:
            with only_run(folder):
                inventory.remove(found)


@app.command()
def export(
    shards: Annotated[str, typer.Argument(help="Shard set, such as RUN/shards/main, or its fsspec URL.")],
    *,
    format_name: Annotated[ExportFormat, typer.Option("--format", help="What to write.")],
    out: Annotated[str, typer.Option(help="Folder to make; must be absent or empty.")],
    debug: Debug = False,
) -> None:
    """Write a shard set in another tool's format, and say what that format cannot express."""
    with _errors_to_exit_codes(debug=debug):
        from shards.export.formats import export_shards  # noqa: PLC0415 - keeps --help fast

        tally = export_shards(shards, format_name=format_name, out=out)
        typer.echo(f"{out}: " + "\n".join(tally.describe()))


@app.command()
def demo(
    *,
    out: Annotated[Path, typer.Option(help="Folder of the demo.")] = Path("runs/demo"),
    docs: Annotated[int, typer.Option(min=40, help="Documents of the demo world.")] = 400,
    workers: Workers = None,
    debug: Debug = False,
) -> None:
    """Run the whole road on a drawn world with ground truth: web, shards, training, report."""
    with _errors_to_exit_codes(debug=debug):
        from pipelines.demo.run import run_demo  # noqa: PLC0415 - imports torch and Dask

        if not run_demo(out, num_docs=docs, workers=workers):
            raise typer.Exit(EXIT_FAILED)


@app.command()
def train(  # noqa: PLR0913 - a command line
    stage: Annotated[Path, typer.Argument(help="YAML stage; see train_bridge/stages.")],
    *,
    overrides: Sets = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the newest checkpoint, if any.")] = False,
    plan_only: Annotated[bool, typer.Option("--plan-only", help="Print steps, fill, tokens per source.")] = False,
    nproc: Annotated[int, typer.Option(min=1, help="Processes on this machine, one per GPU.")] = 1,
    nnodes: Annotated[str, typer.Option(help="Machines, or MIN:MAX; each runs this command.")] = "1",
    rdzv_endpoint: Annotated[str | None, typer.Option(help="HOST:PORT where they meet.")] = None,
    debug: Debug = False,
) -> None:
    """Train a stage under torchrun. SIGTERM and SIGUSR1 save, and end with 0."""
    switches = {"--resume": resume, "--plan-only": plan_only, "--debug": debug}
    options = [part for override in overrides or [] for part in ("--set", override)]
    options += [name for name, is_on in switches.items() if is_on]
    with _errors_to_exit_codes(debug=debug):
        command = train_command(str(stage), options, nproc=nproc, nnodes=nnodes, rdzv_endpoint=rdzv_endpoint)
    # This process becomes the launcher: signals and exit code are its own.
    os.execv(command[0], command)  # noqa: S606 - our own module


@app.command("count-tokens")
def count_tokens(
    stage: Annotated[Path, typer.Argument(help="YAML stage: its tokenizer, its shards.")],
    *,
    overrides: Sets = None,
    processes: Annotated[int | None, typer.Option(min=1, help="That count; default all processors.")] = None,
    scheduler: Scheduler = None,
    debug: Debug = False,
) -> None:
    """Count the tokens of a stage's shards, and keep them beside the sets. After a kill it goes on."""
    options = [part for override in overrides or [] for part in ("--set", override)]
    with _errors_to_exit_codes(debug=debug):
        if scheduler is not None:
            from pipelines.count_on_cluster import count_on_cluster  # noqa: PLC0415 - imports Dask

            count_on_cluster(str(stage), options, scheduler=scheduler)
        options += ["--processes", str(processes)] if processes is not None else []
        command = count_command(str(stage), [*options, *(["--debug"] if debug else [])])
    os.execv(command[0], command)  # noqa: S606 - our own module


@app.command()
def bench(
    names: Annotated[list[str] | None, typer.Argument(help="Benchmarks; default all.")] = None,
    *,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the rows here.")] = None,
    docs: Annotated[int, typer.Option(min=1000, help="Of scale: documents of its corpus.")] = 20_000,
    cosine: Annotated[bool, typer.Option(help="Of scale: compare embeddings too.")] = True,
    out: Annotated[str | None, typer.Option(help="Of scale: keep its corpus in this folder.")] = None,
    debug: Debug = False,
) -> None:
    """Measure this build beside its peers."""
    with _errors_to_exit_codes(debug=debug):
        from pipelines.bench.scale.measure import ScaleOptions  # noqa: PLC0415 - imports Dask
        from pipelines.bench.table import run_benches  # noqa: PLC0415 - imports the peers

        if json_file is not None:  # what takes minutes must not end without a place for its rows
            json_file.parent.mkdir(parents=True, exist_ok=True)
        rows = run_benches(names or [], scale=ScaleOptions(num_docs=docs, with_cosine=cosine, out=out))
        views.show_benches(rows)
        if json_file is not None:
            json_file.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


@contextmanager
def _errors_to_exit_codes(*, debug: bool) -> Iterator[None]:
    """Turn our errors into one short block and an exit code."""
    try:
        yield
    except (RecipeError, BlendError) as error:
        _show(error, "the recipe cannot be run", debug=debug)
        raise typer.Exit(EXIT_USAGE) from error
    except CurateError as error:
        _show(error, "failed", debug=debug)
        raise typer.Exit(EXIT_FAILED) from error
    except (OSError, ValueError, ImportError) as error:  # of a folder that cannot be written, a protocol not known, ...
        is_full = isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}
        text = "no space left on the disk; free some and run again" if is_full else f"{type(error).__name__}: {error}"
        _show(CurateError(text), "failed", debug=debug)
        raise typer.Exit(EXIT_FAILED) from error
    except KeyboardInterrupt as error:
        errors.print("stopped; run the same command again to go on from here")
        raise typer.Exit(EXIT_INTERRUPTED) from error


def _show(error: CurateError, headline: str, *, debug: bool) -> None:
    errors.print(f"[red]{headline}[/red]")
    for line in str(error).splitlines():
        errors.print(f"  {line}", markup=False)
    if debug:
        errors.print_exception()


if __name__ == "__main__":
    app()
