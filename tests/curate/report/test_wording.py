from curate.contract.reasons import ALL_REASONS, FetchStatus
from curate.report.wording import REASON_WORDS, describe, describe_status


def test_every_reason_and_status_has_words() -> None:
    assert set(REASON_WORDS) == ALL_REASONS
    assert all(describe_status(status) for status in FetchStatus)
    assert describe_status("ok") == "fetched and decoded"
    assert describe_status("http_404") == describe("fetch.http_404") == "not found"


def test_an_unknown_code_stands_for_itself() -> None:
    assert describe("text.new_rule") == "text: new rule"
