"""Find the documents of a partition that kill their workers, and set them aside for good."""

from collections.abc import Callable
from dataclasses import replace

from curate.contract.errors import CurateError
from pipelines.engine.cluster import Client
from pipelines.engine.loop import Report, Task, find_poison
from pipelines.run.context import RunContext, load_documents, load_poison, without_documents
from pipelines.run.folder import write_json


def set_poison_aside(client: Client, context: RunContext, partition: str, call: Callable[..., Report]) -> None:
    """Bisect a partition by running a stage on parts of it, and note the killers in ``poison/PARTITION.json``.

    Raises:
        CurateError: There is no document left to set aside.
    """
    known = load_poison(context, partition)
    doc_ids = without_documents(load_documents(context, partition), known)["doc_id"].to_pylist()
    if not doc_ids:
        raise CurateError("its workers died, and it has no documents to set aside")
    killers = find_poison(client, doc_ids, lambda part: _probe(context, partition, call, part))
    if killers:
        write_json(context.folder.file("poison", f"{partition}.json"), {"doc_ids": sorted({*known, *killers})})


def _probe(context: RunContext, partition: str, call: Callable[..., Report], doc_ids: list[str]) -> Task:
    probing = replace(context, only=tuple(doc_ids))
    return Task(stage=f"probe {call.__name__}", partition=partition, call=call, args=(probing, partition))
