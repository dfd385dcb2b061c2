import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from curate.blend.plan import plan_blend
from curate.blend.pool import read_pool
from curate.contract.reasons import FetchStatus, IngestReason, Stage
from curate.contract.verdicts import Verdict, verdict_table
from curate.report.data import LossCurve, TruthFigure
from curate.report.ledger import check_ledger
from pipelines import account as account_module
from pipelines.account import Account, Extras, account_for
from pipelines.decide.decided import Decided
from pipelines.engine.loop import Report, Task
from pipelines.run import tables
from pipelines.run.context import RunContext
from pipelines.run.folder import write_json
from tests.pipelines.corpus import CLIP, Doc, Picture, chat, decide_all, doc, make_context, pair, write_partition
from tests.pipelines.in_process import InProcess
from tests.pipelines.orders import lay_order

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


def blended(context: RunContext, partitions: list[str], *, drawn: list[str]) -> Decided:
    """Decide, and write the blend's files as if only some documents had been drawn, the first of them twice."""
    decided = decide_all(context, *partitions)
    lay_order(context, decided, [(0, doc_id) for doc_id in (*drawn, drawn[0])])
    plan = plan_blend(read_pool(decided.iterate_pool(context)), context.recipe.blend)
    write_json(context.folder.file("blend", "main.json"), plan.summary)
    return decided


def account_of(context: RunContext, partitions: list[str], *, drawn: list[str]) -> Account:
    return account_for(InProcess(), context, blended(context, partitions, drawn=drawn))


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
    return account_of(context, [MMC4, COYO, FLAN], drawn=["z", "p", "c"])


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
    assert Path(context.folder.file("decided", written["decision"], "counts.json")).exists()
    beside = Path(context.folder.file("shards", "main", "ledger.json")).read_text(encoding="utf-8")
    assert json.loads(beside) == written
    assert written["faults"] == [{"source": "mmc4", "reason": "ingest.malformed_record", "detail": "a.jsonl: bad"}]


def test_the_report_shows_the_run(account: Account, context: RunContext) -> None:
    page = Path(context.folder.file("report.html")).read_text(encoding="utf-8")
    assert "my-run" in page
    assert "text.words" in page
    assert account.unreadable_sources == ()
    assert Path(context.folder.file("shards", "main", "report.html")).read_text(encoding="utf-8") == page


def test_truth_and_training_reach_the_report(context: RunContext) -> None:
    extras = Extras(
        truth=[TruthFigure(name="recall of the planted", value=0.5, target=0.9, num_cases=9)],
        training=[LossCurve(stage="stage-nine", points=((0, 2.0), (1, 1.0)))],
    )
    account_for(InProcess(), context, blended(context, [MMC4, COYO, FLAN], drawn=["z", "p", "c"]), extras=extras)
    page = Path(context.folder.file("report.html")).read_text(encoding="utf-8")
    assert "recall of the planted" in page
    assert "stage-nine" in page


def test_a_run_that_could_not_be_blended_kept_nothing_and_has_no_set(context: RunContext) -> None:
    decided = decide_all(context, MMC4, COYO, FLAN)
    ledger = account_for(InProcess(), context, decided, is_planned=False).ledger
    assert ledger["shard_set"] is None
    assert ledger["totals"]["documents"]["kept"] == ledger["totals"]["images"]["kept"] == 0
    assert ledger["totals"]["documents"]["rejected"]["blend.not_drawn"] == 4
    assert check_ledger(ledger) == []
    assert not Path(context.folder.file("shards")).exists()


def test_the_same_run_gives_the_same_files(account: Account, context: RunContext) -> None:
    paths = [Path(context.folder.file(name)) for name in ("ledger.json", "report.html")]
    before = [path.read_bytes() for path in paths]
    assert account_of(context, [MMC4, COYO, FLAN], drawn=["z", "p", "c"]) == account
    assert [path.read_bytes() for path in paths] == before


class Backwards(InProcess):
    """Yields the reports of a phase from the last task to the first."""

    def run(self, phase: str, tasks: Sequence[Task]) -> Iterator[Report]:
        return super().run(phase, tasks[::-1])


@pytest.mark.parametrize(("size", "workers"), [(1, InProcess()), (1, Backwards()), (2, Backwards())])
def test_groups_and_their_order_change_no_byte(
    account: Account, context: RunContext, monkeypatch: pytest.MonkeyPatch, size: int, workers: InProcess
) -> None:
    paths = [Path(context.folder.file(name)) for name in ("ledger.json", "report.html")]
    before = [path.read_bytes() for path in paths]
    monkeypatch.setattr(account_module, "GROUP_PARTITIONS", size)
    assert account_for(workers, context, decide_all(context, MMC4, COYO, FLAN)) == account
    assert [path.read_bytes() for path in paths] == before


def test_a_source_of_which_nothing_could_be_read_is_named(context: RunContext) -> None:
    names = [MMC4, COYO, FLAN, "flan-00001-00000"]
    write_flan_fault(context, FLAN, IngestReason.MISSING_FILE)
    write_flan_fault(context, "flan-00001-00000", IngestReason.UNREADABLE_FILE)
    assert account_of(context, names, drawn=["z", "p"]).unreadable_sources == ("flan",)


@pytest.mark.parametrize("reason", list(IngestReason))
def test_records_that_are_all_faults_are_a_source_that_cannot_be_read(
    context: RunContext, reason: IngestReason
) -> None:
    write_flan_fault(context, FLAN, reason, detail="flan.jsonl:1: [bad] :100:")
    account = account_of(context, [MMC4, COYO, FLAN], drawn=["z", "p"])
    assert account.describe_unreadable() == "no record of flan could be read:\n  flan.jsonl:1: [bad] :100:"


def test_a_source_without_a_record_cannot_be_read_either(context: RunContext) -> None:
    account = account_of(context, [MMC4, COYO], drawn=["z", "p"])
    assert account.describe_unreadable() == "no record of flan could be read:\n  its files hold no record"


def test_a_source_of_which_something_could_be_read_is_not_named(context: RunContext) -> None:
    write_flan_fault(context, "flan-00001-00000", IngestReason.MISSING_FILE)
    names = [MMC4, COYO, FLAN, "flan-00001-00000"]
    assert account_of(context, names, drawn=["z", "p", "c"]).unreadable_sources == ()


def write_flan_fault(context: RunContext, partition: str, reason: IngestReason, *, detail: str | None = None) -> None:
    broken = Doc(doc_id=f"fault of {partition}", items=(), source="flan", kind="text")
    write_partition(context, partition, [broken])
    verdicts = verdict_table([Verdict(doc_id=broken.doc_id, stage=Stage.INGEST, reason=reason, detail=detail)])
    context.folder.write(tables.INGEST_VERDICTS, partition, rows=verdicts, made_from="by hand")


def test_without_clip_there_is_an_account_too(tmp_path: Path) -> None:
    context = make_context(tmp_path / "plain")
    write_partition(context, MMC4, [doc("a", TEXT, Picture(number=1))])
    ledger = account_of(context, [MMC4], drawn=["a"]).ledger
    assert ledger["totals"]["images"] == {"in": 1, "kept": 1, "rejected": {}}
    assert list(ledger["sources"]) == ["mmc4", "coyo", "flan"]
