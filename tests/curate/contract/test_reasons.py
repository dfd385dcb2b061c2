from curate.contract.reasons import (
    ALL_REASONS,
    TRANSIENT_FETCH_STATUSES,
    FetchStatus,
    IngestReason,
    Reason,
    fetch_reason,
)


def test_success_is_no_reason() -> None:
    assert fetch_reason(FetchStatus.OK) not in ALL_REASONS


def test_every_code_is_counted_once() -> None:
    assert len(ALL_REASONS) == len(IngestReason) + len(Reason) + len(FetchStatus) - 1


def test_codes_begin_with_where_they_were_given() -> None:
    items = {"text", "url", "image", "doc"}  # rules are named for the item they judge
    others = {"ingest", "fetch", "dedup", "blend", "engine", "removed"}
    assert {code.split(".")[0] for code in ALL_REASONS} == items | others


def test_an_opt_out_is_never_tried_again() -> None:
    final = {FetchStatus.OK, FetchStatus.OPTED_OUT, FetchStatus.ROBOTS_DISALLOWED, FetchStatus.HTTP_404}
    assert not final & TRANSIENT_FETCH_STATUSES
