"""Find the documents of a partition that kill their workers, and set them aside for good."""

from collections.abc import Callable
from dataclasses import replace

from curate.contract.errors import CurateError
from pipelines.engine.cluster import Client
from pipelines.engine.deaths import Death
from pipelines.engine.loop import Report, Task, find_killers
from pipelines.run.context import RunContext, load_documents, load_poison, load_too_large, store_poison
from pipelines.run.joins import without_documents
from pipelines.run.probe import ProbeFolder

MOST_TOO_LARGE = 3
"""Documents of a partition that may each be more than a worker holds. If there are more, it is the worker that is too
small."""


def set_poison_aside(
    client: Client,
    context: RunContext,
    partition: str,
    *,
    stage: str,
    call: Callable[..., Report],
    death: Death = Death.CRASH,
) -> None:
    """Bisect a partition by running a stage on parts of it, and note the killers.

    Args:
        client: Of a cluster that starts dead workers again.
        context: The run.
        partition: Its name.
        stage: That killed its workers.
        call: What that stage runs.
        death: How they died.

    Raises:
        CurateError: There is no document left to set aside; or memory is short, and it is not a few documents' doing.
    """
    known = load_poison(context, partition)
    doc_ids = without_documents(load_documents(context, partition), list(known))["doc_id"].to_pylist()
    if not doc_ids:
        raise CurateError("its workers died, and it has no documents to set aside")

    def probe(part: list[str]) -> Task:
        aside = replace(context, folder=ProbeFolder(context.folder.root, tuple(part)), is_gentle=True)
        return Task(stage=f"probe {stage}", partition=partition, call=call, args=(aside, partition))

    limit = MOST_TOO_LARGE if death is Death.MEMORY else None
    killers = find_killers(client, doc_ids, probe, limit=limit)
    too_large = {doc_id for doc_id, how in killers.items() if how is Death.MEMORY}
    if (death is Death.MEMORY and not killers) or len(too_large) > MOST_TOO_LARGE:
        raise CurateError(_out_of_memory(context, num_too_large=len(too_large)))
    if killers:
        too_large |= load_too_large(context, partition)
        store_poison(context, partition, {**known, **dict.fromkeys(killers, stage)}, too_large=too_large)


def _out_of_memory(context: RunContext, *, num_too_large: int) -> str:
    engine, size = context.recipe.engine, context.recipe.partition_num_docs
    whose = "of many documents each alone" if num_too_large else "of all its documents together, but of none alone"
    return (
        f"its workers ran out of memory, with nothing else running, because {whose}; "
        f"raise engine.memory_limit (now {engine.memory_limit}) or start fewer engine.workers, "
        f"or lower partition_num_docs (now {size})"
    )
