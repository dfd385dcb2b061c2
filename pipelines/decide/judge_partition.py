"""Judge a stored partition: its facts, and where a rule asks, how often its URLs occur."""

import numpy as np
import pyarrow.compute as pc

from curate.contract.errors import CurateError
from pipelines.decide.facts import Facts, Ints, find_rows
from pipelines.decide.facts_table import load_facts
from pipelines.decide.judge import Judged, Rules, judge
from pipelines.recipes.rule_sets import rule_configs
from pipelines.run.context import RunContext
from pipelines.run.tables import FACTS, URL_COUNTS

LATER_COLUMNS = frozenset({"similarity", "text_positions"})
"""Read only where images are matched with texts."""


def judge_partition(context: RunContext, partition: str, rules: Rules, *, with_matches: bool = False) -> Judged:
    """Return what stands of a partition by the rules.

    Args:
        context: The run.
        partition: Its name.
        rules: Of the recipe.
        with_matches: Whether its facts have all columns, those for matching too.

    Raises:
        CurateError: Images are wanted that were never fetched; a table is missing.
    """
    columns = None if with_matches else [name for name in FACTS.schema.names if name not in LATER_COLUMNS]
    facts = load_facts(context, partition, columns=columns)
    try:
        return judge(facts, rules, load_url_counts(context, partition, facts))
    except CurateError as error:
        raise CurateError(f"{partition}: {error}") from error


def load_url_counts(context: RunContext, partition: str, facts: Facts) -> Ints | None:
    """Return how often each image's URL occurs in the run, [M]; None where no rule asks.

    Raises:
        CurateError: A rule asks, and they are not there.
    """
    if "url.frequency" not in rule_configs(context.recipe.admit):
        return None
    table = context.folder.read(URL_COUNTS, partition)
    counts = table["url_count"].combine_chunks().take(find_rows(facts, table))
    return np.asarray(pc.fill_null(counts, 1).to_numpy(zero_copy_only=False), dtype=np.int64)
