from curate.contract.reasons import IngestReason
from curate.ingest.files.faults import Place, describe_error, file_fault, missing_fault, record_fault


def test_record_fault_names_file_line_and_cause() -> None:
    fault = record_fault(Place(label="a.jsonl", number=7), "text is empty", IngestReason.EMPTY_DOCUMENT)
    assert (fault.ordinal, fault.reason) == ("a.jsonl#7", IngestReason.EMPTY_DOCUMENT)
    assert fault.detail == "a.jsonl:7: text is empty"


def test_file_faults_have_the_file_as_ordinal() -> None:
    assert file_fault("a.gz", "ends early", number=3).detail == "a.gz:3: ends early"
    assert file_fault("a.gz", "ends early", number=3).ordinal == "a.gz"
    assert missing_fault("b.txt").reason is IngestReason.MISSING_FILE


def test_long_details_are_clipped() -> None:
    assert len(file_fault("a", "x" * 5000).detail) == 300


def test_errors_become_one_line_without_machine_paths() -> None:
    assert describe_error(PermissionError(13, "Permission denied", "folder/of/someone")) == "Permission denied"
    assert describe_error(ValueError("two\n lines")) == "two lines"
    assert describe_error(EOFError()) == "EOFError"
