"""Judge a stored partition: its facts, and where a rule asks, how often its URLs occur."""

import numpy as np

from curate.contract.errors import CurateError
from pipelines.decide.facts import Facts, Ints
from pipelines.decide.facts_table import load_facts
from pipelines.decide.judge import Judged, Rules, judge
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
        return judge(facts, rules, load_url_counts(context, partition, facts, rules))
    except CurateError as error:
        raise CurateError(f"{partition}: {error}") from error


def load_url_counts(context: RunContext, partition: str, facts: Facts, rules: Rules) -> Ints | None:
    """Return how often each image's URL occurs in the run, [M]; None where no rule on URLs is there or none counted."""
    if not rules.url or context.folder.stamp(URL_COUNTS, partition) is None:
        return None
    table = context.folder.read(URL_COUNTS, partition)
    counts = np.ones(facts.images.num_rows, dtype=np.int64)
    counts[table["row"].to_numpy()] = table["url_count"].to_numpy()
    return counts
