"""Find the documents of a partition that kill their workers, and set them aside for good."""

from collections.abc import Callable
from dataclasses import replace

from curate.contract.errors import CurateError
from pipelines.engine.cluster import Client
from pipelines.engine.loop import Report, Task, find_poison
from pipelines.run.context import RunContext, load_documents, load_poison, store_poison
from pipelines.run.joins import without_documents
from pipelines.run.probe import ProbeFolder


def set_poison_aside(
    client: Client, context: RunContext, partition: str, *, stage: str, call: Callable[..., Report]
) -> None:
    """Bisect a partition by running a stage on parts of it, and note the killers.

    Raises:
        CurateError: There is no document left to set aside.
    """
    known = load_poison(context, partition)
    doc_ids = without_documents(load_documents(context, partition), list(known))["doc_id"].to_pylist()
    if not doc_ids:
        raise CurateError("its workers died, and it has no documents to set aside")

    def probe(part: list[str]) -> Task:
        aside = replace(context, folder=ProbeFolder(context.folder.root, tuple(part)))
        return Task(stage=f"probe {stage}", partition=partition, call=call, args=(aside, partition))

    if killers := find_poison(client, doc_ids, probe):
        store_poison(context, partition, {**known, **dict.fromkeys(killers, stage)})
