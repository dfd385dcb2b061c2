import json
from pathlib import Path

import pyarrow as pa
import pytest
from pipelines.decide.pool_arrays import as_pool

from curate.blend.plan import plan_blend
from curate.contract.reasons import FetchStatus, IngestReason, Stage
from curate.contract.verdicts import Verdict, verdict_table
from curate.report.data import LossCurve, TruthFigure
from curate.report.ledger import check_ledger
from pipelines.account import Account, account_for
from pipelines.run import tables
from pipelines.run.context import RunContext
from pipelines.run.folder import write_json, write_table
from pipelines.run.tables import BLEND_ORDER, POOL
from tests.pipelines.corpus import CLIP, Doc, Picture, chat, decide_all, doc, make_context, pair, write_partition

RULES = (
    CLIP
    + """
admit: {text.words: {min: 2}}
keep: {image.clip: {min: 0.25}, doc.images: {min: 1}}
dedup: {}
"""
)
MMC4, COYO, FLAN = "mmc4-00000-00000", "coyo-00000-00000", "flan-00000-00000"
TEXT = "words of a document"


def blended(context: RunContext, partitions: list[str], *, drawn: set[str]) -> None:
    """Decide, and write the blend's files as if only some documents had been drawn, the first of them twice."""
    pools = [decision.pool for decision in decide_all(context, *partitions).values()]
    pool = pa.concat_tables(pools).combine_chunks()
    write_table(context.folder.file("blend", "pool.parquet"), pool, schema=POOL.schema, made_from="x")
    rows = [
        {"shard": 0, "doc_id": row["doc_id"], "partition": row["partition"], "repeat": 0}
        for row in pool.to_pylist()
        if row["doc_id"] in drawn
    ]
    order = pa.Table.from_pylist([*rows, {**rows[0], "repeat": 1}], schema=BLEND_ORDER.schema)
    context.folder.write(BLEND_ORDER, "main", rows=order, made_from="x")
    write_json(context.folder.file("blend", "main.json"), plan_blend(as_pool(pool), context.recipe.blend).summary)


@pytest.fixture
def context(tmp_path: Path) -> RunContext:
    made = make_context(tmp_path / "my-run", RULES)
    docs = [
        doc(
            "z", TEXT, Picture(number=1), Picture(number=2, status=FetchStatus.HTTP_404), Picture(number=3, sims=(0.1,))
        ),
        doc("copy", TEXT, Picture(number=1)),
        doc("short", "word", Picture(number=4), Picture(number=5)),
    ]
    write_partition(made, MMC4, docs, faults=[("broken", IngestReason.MALFORMED_RECORD)])
    write_partition(made, COYO, [pair("p", Picture(number=6)), pair("left", Picture(number=7))])
    write_partition(made, FLAN, [chat("c")])
    return made


@pytest.fixture
def account(context: RunContext) -> Account:
    blended(context, [MMC4, COYO, FLAN], drawn={"z", "p", "c"})
    return account_for(context, [MMC4, COYO, FLAN])


def test_everything_is_counted_once(account: Account) -> None:
    sources = account.ledger["sources"]
    assert list(sources) == ["mmc4", "coyo", "flan"]
    assert sources["mmc4"]["documents"] == {
        "in": 4,
        "kept": 1,
        "rejected": {"doc.images": 1, "ingest.malformed_record": 1, "text.words": 1},
    }
    assert sources["mmc4"]["images"] == {
        "in": 6,
        "kept": 1,
        "rejected": {"dedup.exact": 1, "doc.rejected": 2, "fetch.http_404": 1, "image.clip": 1},
    }
    assert sources["coyo"]["documents"] == {"in": 2, "kept": 1, "rejected": {"blend.not_drawn": 1}}
    assert sources["coyo"]["images"] == {"in": 2, "kept": 1, "rejected": {"doc.rejected": 1}}
    assert sources["flan"]["documents"] == {"in": 1, "kept": 1, "rejected": {}}
    assert check_ledger(account.ledger) == []


def test_the_ledger_is_written_with_its_faults_and_its_shard_set(account: Account, context: RunContext) -> None:
    written = json.loads(Path(context.folder.file("ledger.json")).read_text(encoding="utf-8"))
    assert written == account.ledger
    assert written["shard_set"] == "main"
    assert written["faults"] == [{"source": "mmc4", "reason": "ingest.malformed_record", "detail": "a.jsonl: bad"}]


def test_the_report_shows_the_run(account: Account, context: RunContext) -> None:
    page = Path(context.folder.file("report.html")).read_text(encoding="utf-8")
    assert "my-run" in page
    assert "text.words" in page
    assert account.unreadable_sources == ()


def test_truth_and_training_reach_the_report(context: RunContext) -> None:
    blended(context, [MMC4, COYO, FLAN], drawn={"z", "p", "c"})
    account_for(
        context,
        [MMC4, COYO, FLAN],
        truth=[TruthFigure(name="recall of the planted", value=0.5, target=0.9, num_cases=9)],
        training=[LossCurve(stage="stage-nine", points=((0, 2.0), (1, 1.0)))],
    )
    page = Path(context.folder.file("report.html")).read_text(encoding="utf-8")
    assert "recall of the planted" in page
    assert "stage-nine" in page


def test_the_same_run_gives_the_same_files(account: Account, context: RunContext) -> None:
    paths = [Path(context.folder.file(name)) for name in ("ledger.json", "report.html")]
    before = [path.read_bytes() for path in paths]
    assert account_for(context, [MMC4, COYO, FLAN]) == account
    assert [path.read_bytes() for path in paths] == before


def test_a_source_of_which_nothing_could_be_read_is_named(context: RunContext) -> None:
    names = [MMC4, COYO, FLAN, "flan-00001-00000"]
    write_flan_fault(context, FLAN, IngestReason.MISSING_FILE)
    write_flan_fault(context, "flan-00001-00000", IngestReason.UNREADABLE_FILE)
    blended(context, names, drawn={"z", "p"})
    assert account_for(context, names).unreadable_sources == ("flan",)


@pytest.mark.parametrize("reason", list(IngestReason))
def test_records_that_are_all_faults_are_a_source_that_cannot_be_read(
    context: RunContext, reason: IngestReason
) -> None:
    names = [MMC4, COYO, FLAN]
    write_flan_fault(context, FLAN, reason, detail="flan.jsonl:1: [bad] :100:")
    blended(context, names, drawn={"z", "p"})
    account = account_for(context, names)
    assert account.describe_unreadable() == "no record of flan could be read:\n  flan.jsonl:1: [bad] :100:"


def test_a_source_without_a_record_cannot_be_read_either(context: RunContext) -> None:
    blended(context, [MMC4, COYO], drawn={"z", "p"})
    account = account_for(context, [MMC4, COYO])
    assert account.describe_unreadable() == "no record of flan could be read:\n  its files hold no record"


def test_a_source_of_which_something_could_be_read_is_not_named(context: RunContext) -> None:
    write_flan_fault(context, "flan-00001-00000", IngestReason.MISSING_FILE)
    names = [MMC4, COYO, FLAN, "flan-00001-00000"]
    blended(context, names, drawn={"z", "p", "c"})
    assert account_for(context, names).unreadable_sources == ()


def write_flan_fault(context: RunContext, partition: str, reason: IngestReason, *, detail: str | None = None) -> None:
    broken = Doc(doc_id=f"fault of {partition}", items=(), source="flan", kind="text")
    write_partition(context, partition, [broken])
    verdicts = verdict_table([Verdict(doc_id=broken.doc_id, stage=Stage.INGEST, reason=reason, detail=detail)])
    context.folder.write(tables.INGEST_VERDICTS, partition, rows=verdicts, made_from="by hand")


def test_without_clip_there_is_an_account_too(tmp_path: Path) -> None:
    context = make_context(tmp_path / "plain")
    write_partition(context, MMC4, [doc("a", TEXT, Picture(number=1))])
    blended(context, [MMC4], drawn={"a"})
    ledger = account_for(context, [MMC4]).ledger
    assert ledger["totals"]["images"] == {"in": 1, "kept": 1, "rejected": {}}
    assert list(ledger["sources"]) == ["mmc4", "coyo", "flan"]
