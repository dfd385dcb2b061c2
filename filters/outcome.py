"""What every rule shares: the kinds it applies to, and turning a mask into reasons."""

from typing import Annotated

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import PlainSerializer

from curate.contract.reasons import Kind, Reason

# Written sorted: a set's own order changes from process to process.
Kinds = Annotated[frozenset[Kind], PlainSerializer(sorted, return_type=list[str])]

ALL_KINDS = frozenset(Kind)
WITH_IMAGES = frozenset({Kind.INTERLEAVED, Kind.PAIR})
INTERLEAVED_ONLY = frozenset({Kind.INTERLEAVED})


def reject_unless(
    good: pa.BooleanArray, *, kind: pa.StringArray, kinds: frozenset[Kind], reason: Reason
) -> pa.StringArray:
    """Return ``reason`` where a row of one of ``kinds`` is not good, else null.

    Args:
        good: [N]; null, as comparisons with null give, is not good.
        kind: [N] the rows' kinds.
        kinds: What the rule applies to; other rows are kept.
        reason: The rule's code.

    Returns:
        String array [N].
    """
    applies = pc.is_in(kind, value_set=pa.array(sorted(kinds), pa.string()))
    rejected = pc.and_(applies, pc.invert(pc.fill_null(good, fill_value=False)))
    return pc.if_else(rejected, pa.scalar(str(reason)), pa.scalar(None, pa.string()))
