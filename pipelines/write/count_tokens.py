"""Tokens of every document's text, counted once per partition and tokenizer: blending again only adds them up.

The tokenizer's file is copied into the run folder. Workers read it there, and a later blend that names the same
tokenizer counts alike, whatever has become of the original.
"""

import functools
import os

import fsspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from tokenizers import Tokenizer

from curate.blend.tokens import TOKEN_COUNTS, count_tokens, parse_tokenizer, read_tokenizer_file, tokenizer_digest
from curate.contract.errors import BlendError
from curate.contract.reasons import Stage
from pipelines.decide.decided import Decided
from pipelines.engine.loop import Report, Task
from pipelines.run.context import RunContext, items_digest, load_items, make_tables, stage_fingerprint
from pipelines.run.folder import read_json, write_json, write_text
from pipelines.run.tables import Table
from pipelines.run.workers import Workers

DIGEST_DIGITS = 16
"""Of a tokenizer's sha256, in the names of its file and tables; the fingerprint has them all."""


def store_tokenizer(context: RunContext) -> str:
    """Put the recipe's tokenizer into the run folder and return its digest.

    Raises:
        BlendError: There is no such tokenizer.
    """
    name = context.recipe.blend.tokenizer
    if name is None:
        raise BlendError("blend.tokenizer: none is named")
    names_path = context.folder.file("blend", "tokenizers", "names.json")
    names = read_json(names_path) or {}
    try:
        text = read_tokenizer_file(name, base=context.base)
    except BlendError:
        if name not in names:
            raise
        return str(names[name])
    parse_tokenizer(text)
    digest = tokenizer_digest(text)
    if names.get(name) != digest:
        write_text(_tokenizer_path(context, digest), text)
        write_json(names_path, {**names, name: digest})
    return digest


def count_partition_tokens(context: RunContext, partition: str, digest: str) -> Report:
    """Count a partition's tokens, or skip it if they are counted.

    Args:
        context: The run.
        partition: Its name.
        digest: Of the tokenizer, from ``store_tokenizer``.
    """
    # Every worker process has one core to itself; the library's own threads would only get in the others' way.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    table = token_counts(digest)
    made_from = stage_fingerprint("tokens", table.version, {"tokenizer": digest}, [items_digest(context, partition)])

    def compute() -> tuple[pa.Table]:
        return (count_tokens(load_items(context, partition), _load_tokenizer(_tokenizer_path(context, digest))),)

    return make_tables(context, partition, table, made_from=made_from, compute=compute)


def count_pool_tokens(workers: Workers, context: RunContext, decided: Decided) -> npt.NDArray[np.uint32]:
    """Count tokens where they are not counted yet; return those of every pool row's text, [N]; zero without text.

    Args:
        workers: Of the run.
        context: The run.
        decided: Whose pool it is.

    Raises:
        BlendError: There is no such tokenizer.
    """
    digest = store_tokenizer(context)
    tasks = [
        Task(stage=Stage.COUNT_TOKENS, partition=name, call=count_partition_tokens, args=(context, name, digest))
        for name in decided.manifest.partitions
    ]
    workers.finish("tokens", tasks)
    table = token_counts(digest)
    found = [np.zeros(0, np.uint32)]
    for name, pool in decided.iterate_pool(context):
        counts = context.folder.read(table, name)
        places = pc.index_in(pool["doc_id"], value_set=counts["doc_id"].combine_chunks())
        found.append(pc.fill_null(counts["num_tokens"].take(places), 0).to_numpy().astype(np.uint32))
    return np.concatenate(found)


def token_counts(digest: str) -> Table:
    """Return the table of a tokenizer's counts."""
    return Table(place=f"measure/tokens-{digest[:DIGEST_DIGITS]}", schema=TOKEN_COUNTS, stage=Stage.COUNT_TOKENS)


def _tokenizer_path(context: RunContext, digest: str) -> str:
    return context.folder.file("blend", "tokenizers", f"{digest[:DIGEST_DIGITS]}.json")


@functools.lru_cache(maxsize=2)
def _load_tokenizer(path: str) -> Tokenizer:
    with fsspec.open(path, "r", encoding="utf-8") as file:
        return parse_tokenizer(file.read())
