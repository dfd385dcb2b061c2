from curate.contract.reasons import IngestReason, Reason, Stage
from curate.contract.schemas import VERDICTS, check_schema
from curate.contract.verdicts import Verdict, read_verdicts, verdict_table


def test_verdicts_survive_their_table() -> None:
    verdicts = [
        Verdict(doc_id="a", position=3, stage=Stage.KEEP, reason=Reason.IMAGE_SIZE),
        Verdict(doc_id="b", stage=Stage.INGEST, reason=IngestReason.MALFORMED_RECORD, detail="a.jsonl:3: no JSON"),
    ]
    table = verdict_table(verdicts)
    check_schema(table, VERDICTS, where="test")
    assert read_verdicts(table) == verdicts
    assert [verdict.key for verdict in verdicts] == [("a", 3), ("b", -1)]
    assert verdict_table([]).num_rows == 0
