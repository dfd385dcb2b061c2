import pyarrow as pa
import pyarrow.compute as pc

from curate.contract.reasons import Stage
from curate.report.data import Funnel
from curate.report.funnel import FIRST_STEP, STEP_OF_STAGE, STEPS, FunnelCounter
from curate.report.outcomes import resolve
from tests.curate.report import tables as make


def count() -> tuple[Funnel, ...]:
    part = make.mixed_partition()
    counter = FunnelCounter()
    counter.add(resolve(part.documents, part.items, part.verdicts), part.documents["source"].combine_chunks())
    return counter.finish()


def test_each_stage_takes_its_own_away() -> None:
    funnels = {(f.source, f.unit): [step.num for step in f.steps] for f in count()}
    # in, admitted, fetched, kept, deduplicated, in shards
    assert funnels["pages", "documents"] == [2, 2, 2, 1, 1, 1]
    assert funnels["pages", "images"] == [3, 3, 2, 1, 1, 1]
    assert funnels["caps", "images"] == [1, 0, 0, 0, 0, 0]  # lost with its document
    assert ("flan", "images") not in funnels


def test_steps_are_named_and_losses_add_up() -> None:
    for funnel in count():
        assert [step.name for step in funnel.steps] == [FIRST_STEP, *STEPS]
        assert funnel.steps[0].num - sum(step.lost for step in funnel.steps) == funnel.steps[-1].num


def test_funnels_of_parts_are_added() -> None:
    merged, part = FunnelCounter(), make.mixed_partition()
    for rows in (part.documents.slice(0, 1), part.documents.slice(1)):
        ids = rows["doc_id"].to_pylist()
        items, verdicts = (
            table.filter(pc.is_in(table["doc_id"], pa.array(ids))) for table in (part.items, part.verdicts)
        )
        own = FunnelCounter()
        own.add(resolve(rows, items, verdicts), rows["source"].combine_chunks())
        merged.merge(own)
    merged.merge(FunnelCounter())
    assert merged.finish() == count()


def test_every_stage_has_a_step() -> None:
    assert set(STEP_OF_STAGE) == {str(stage) for stage in Stage}
    assert set(STEP_OF_STAGE.values()) <= set(STEPS)
