from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from curate.contract.reasons import TRANSIENT_FETCH_STATUSES, FetchStatus
from curate.contract.schemas import IMAGES, table_from_rows
from curate.fetch.outbox import Store
from pipelines.engine.loop import Report
from pipelines.recipes.load import parse_recipe
from pipelines.run import segments as run_segments
from pipelines.run import tables
from pipelines.run.context import RunContext
from pipelines.stages.refetch import fetch_missing, fetcher_config
from tests.pipelines.corpus import SOURCES, doc, make_context, probe, write, write_partition

P = "mmc4-00000-00000"
Key = tuple[str, int]
KEY_AND_URL = ("doc_id", "position", "image_url")


class FakeWeb:
    """Answers each URL with a status; the detail tells when."""

    def __init__(self, **statuses: str) -> None:
        self.statuses = statuses
        self.asked: list[list[str]] = []
        self.crash_after = -1
        """Rows."""

    def fetch(self, wanted: pa.Table, store: Store) -> None:
        self.asked.append(wanted["image_url"].to_pylist())
        rows = [{**row, "status": self.statuses.get(row["image_url"], "ok"), "detail": f"call {len(self.asked)}"}
                for row in wanted.to_pylist()]  # fmt: skip
        for row in reversed(rows):  # in no order of ours
            store(table_from_rows([row], IMAGES))
            self.crash_after -= 1
            if not self.crash_after:
                raise ConnectionAbortedError


@pytest.fixture
def context(tmp_path: Path) -> RunContext:
    made = make_context(tmp_path)
    write_documents(made)
    return made


def write_documents(context: RunContext) -> None:
    """Documents stand in input order, which is not that of their ids."""
    write_partition(context, P, [doc("z", "text"), doc("y", "text")])
    Path(context.folder.path(tables.IMAGES, P)).unlink()


def under(context: RunContext, *overrides: str) -> RunContext:
    return replace(context, recipe=parse_recipe(SOURCES, overrides=overrides))


def fetch(context: RunContext, web: FakeWeb, *urls: str) -> Report:
    """Fetch one image per URL, all of document ``z``; ``y/url@3`` names another document and a place."""
    rows = []
    for number, text in enumerate(urls):
        head, slash, tail = text.rpartition("/")
        url, _, place = tail.partition("@")
        rows.append({"doc_id": head if slash else "z", "position": int(place or number), "image_url": url})
    wanted = pa.Table.from_pylist(rows, schema=pa.schema([IMAGES.field(name) for name in KEY_AND_URL]))
    return fetch_missing(context, P, tables.IMAGES, wanted=wanted, url_column="image_url", fetch=web.fetch)


def content_of(context: RunContext) -> pa.Table:
    return context.folder.read(tables.IMAGES, P).drop_columns(["detail", "segment"])


def stored(context: RunContext) -> dict[Key, tuple[str, str, str]]:
    rows = context.folder.read(tables.IMAGES, P).to_pylist()
    found = {(r["doc_id"], r["position"]): (r["image_url"], r["status"], r["detail"]) for r in rows}
    assert len(found) == len(rows), f"two rows at one place: {rows}"
    return found


def test_what_is_stored_is_not_fetched_again(context: RunContext) -> None:
    web = FakeWeb(b="http_404")
    report = fetch(context, web, "a", "b")
    assert report == Report(stage="fetch_images", partition=P, counters={"fetched": 2, "ok": 1})
    again = fetch(context, web, "a", "b")
    assert (again.skipped, web.asked) == (True, [["a", "b"]])


def test_only_what_is_new_is_fetched(context: RunContext) -> None:
    web = FakeWeb()
    fetch(context, web, "a", "b")
    report = fetch(context, web, "a", "b", "c")
    assert (report.counters, web.asked[1:]) == ({"fetched": 1, "ok": 1}, [["c"]])
    assert [detail for _, _, detail in stored(context).values()] == ["call 1", "call 1", "call 2"]


def test_what_is_no_longer_wanted_stays(context: RunContext) -> None:
    web = FakeWeb(b="http_404")
    fetch(context, web, "a", "b")
    fetch(context, web, "a")
    assert len(stored(context)) == 2
    fetch(context, web, "a", "b")
    assert web.asked == [["a", "b"], [], []]


@pytest.mark.parametrize("status", [status for status in FetchStatus if status is not FetchStatus.OK])
def test_failures_are_final_under_the_same_policy(context: RunContext, status: FetchStatus) -> None:
    web = FakeWeb(b=str(status))
    fetch(context, web, "a", "b")
    fetch(context, web, "a", "b", "c")
    assert web.asked[1:] == [["c"]]


def test_another_policy_tries_every_failure_again_and_keeps_what_succeeded(context: RunContext) -> None:
    web = FakeWeb(b="http_404", c="timeout")
    fetch(context, web, "a", "b", "c")
    patient = under(context, "fetch.timeout_s=50")
    fetch(patient, FakeWeb(c="timeout"), "a", "b", "c")
    found = stored(context)
    assert found[("z", 0)] == ("a", "ok", "call 1")
    assert found[("z", 1)] == ("b", "ok", "call 1")
    assert found[("z", 2)][1] == "timeout"
    last = FakeWeb()
    assert fetch(patient, last, "a", "b", "c").skipped


def test_speed_is_no_policy(context: RunContext) -> None:
    web = FakeWeb(b="http_404")
    fetch(context, web, "a", "b")
    assert fetch(under(context, "fetch.concurrency=1", "fetch.per_host=1"), web, "a", "b").skipped
    assert fetch(replace(context, num_fetchers=7), web, "a", "b").skipped


def test_retry_failed_tries_transient_failures_only(context: RunContext) -> None:
    statuses = {str(status): str(status) for status in FetchStatus}
    fetch(context, FakeWeb(**statuses), *statuses)
    web = FakeWeb()
    fetch(replace(context, retry_failed=True), web, *statuses)
    assert web.asked == [[name for name in statuses if name in TRANSIENT_FETCH_STATUSES]]
    web = FakeWeb()
    fetch(replace(context, retry_failed=True), web, *statuses)
    assert web.asked == [[]]


def test_rows_stand_in_input_order_and_do_not_tell_what_came_when(context: RunContext, tmp_path: Path) -> None:
    statuses = {"b": "http_404", "c": "timeout"}
    for urls in (["z/c@2"], ["z/a@0", "z/c@2"], ["z/a@0", "z/b@1", "z/c@2", "y/d@0"]):
        fetch(context, FakeWeb(**statuses), *urls)
    at_once = make_context(tmp_path / "other")
    write_documents(at_once)
    fetch(at_once, FakeWeb(**statuses), "z/a@0", "z/b@1", "z/c@2", "y/d@0")
    assert list(stored(context)) == [("z", 0), ("z", 1), ("z", 2), ("y", 0)]
    assert content_of(context).equals(content_of(at_once))


def test_wanting_less_changes_no_byte_that_later_stages_read(context: RunContext) -> None:
    web = FakeWeb(b="http_404")
    fetch(context, web, "z/a@0", "z/b@1", "y/c@0")
    before = context.folder.digest(tables.IMAGES, P)
    for urls in (["z/b@1", "y/c@0"], ["y/c@0"], ["z/a@0", "y/c@0"], []):
        fetch(context, web, *urls)
        assert context.folder.digest(tables.IMAGES, P) == before


def test_another_url_at_the_same_place_takes_it_and_the_old_one_is_kept(context: RunContext) -> None:
    web = FakeWeb()
    fetch(context, web, "a", "b")
    fetch(context, web, "x", "b")
    assert web.asked[1:] == [["x"]]
    assert stored(context)[("z", 0)] == ("x", "ok", "call 2")
    fetch(context, web, "a", "b")
    assert web.asked[2:] == [[]]
    assert stored(context)[("z", 0)] == ("a", "ok", "call 1")


def test_an_old_url_that_failed_leaves_when_another_takes_its_place(context: RunContext) -> None:
    fetch(context, FakeWeb(a="http_404"), "a")
    fetch(context, FakeWeb(), "x")
    assert stored(context) == {("z", 0): ("x", "ok", "call 1")}


def test_a_probe_fetches_and_writes_nothing(context: RunContext) -> None:
    web = FakeWeb()
    fetch(probe(context, "z"), web, "a")
    assert web.asked == [["a"]]
    assert context.folder.stamp(tables.IMAGES, P) is None


def test_nothing_wanted_makes_an_empty_table(context: RunContext) -> None:
    web = FakeWeb()
    assert fetch(context, web).counters == {"fetched": 0, "ok": 0}
    assert stored(context) == {}
    assert fetch(context, web).skipped


def segments(context: RunContext) -> list[Path]:
    return sorted(Path(context.folder.path(tables.IMAGES, P)).with_suffix("").glob("*.parquet"))


def test_a_damaged_segment_is_fetched_anew_and_no_other(context: RunContext, monkeypatch: pytest.MonkeyPatch) -> None:
    web, told = FakeWeb(), list[str]()
    # Whether a record gets through depends on what other libraries in this process have done to logging.
    monkeypatch.setattr(run_segments.logger, "warning", lambda text, *values: told.append(text % values))
    fetch(context, web, "a", "b", "c")
    path = segments(context)[0]
    path.write_bytes(path.read_bytes()[:100])
    assert fetch(context, web, "a", "b", "c").counters == {"fetched": 1, "ok": 1, "damaged_files": 1}
    assert web.asked[1:] == [["c"]]
    assert any(path.name in one for one in told)
    assert fetch(context, web, "a", "b", "c").skipped


def test_a_lost_index_is_made_anew_without_the_network(context: RunContext) -> None:
    web = FakeWeb(b="http_404")
    fetch(context, web, "a", "b")
    before = context.folder.digest(tables.IMAGES, P)
    Path(context.folder.path(tables.IMAGES, P)).unlink()
    assert fetch(context, web, "a", "b").counters == {"fetched": 0, "ok": 0}
    assert (web.asked, context.folder.digest(tables.IMAGES, P)) == ([["a", "b"], []], before)


def test_an_attempt_that_was_cut_short_is_gone_on_with(context: RunContext) -> None:
    web = FakeWeb(b="http_404")
    web.crash_after = 3
    with pytest.raises(ConnectionAbortedError):
        fetch(context, web, "a", "b", "c", "d")
    assert context.folder.stamp(tables.IMAGES, P) is None
    fetch(context, web, "a", "b", "c", "d")
    assert web.asked[1:] == [["a"]]
    assert len(stored(context)) == 4


def test_a_new_url_is_appended_and_nothing_is_rewritten(context: RunContext) -> None:
    web = FakeWeb()
    fetch(context, web, "a", "b")
    before = {path: path.stat().st_mtime_ns for path in segments(context)}
    fetch(context, web, "a", "b", "c")
    after = {path: path.stat().st_mtime_ns for path in segments(context)}
    assert len(after) == len(before) + 1
    assert before.items() <= after.items()


def test_a_file_of_an_earlier_version_is_added_to(context: RunContext) -> None:
    row = {"doc_id": "z", "position": 0, "image_url": "a", "status": "ok", "data": b"old"}
    write(context, tables.IMAGES, P, [row])
    whole = Path(context.folder.path(tables.IMAGES, P)).read_bytes()
    web = FakeWeb()
    assert fetch(context, web, "a", "b").counters == {"fetched": 1, "ok": 1}
    assert (web.asked, [key[1] for key in stored(context)]) == ([["b"]], [0, 1])
    assert segments(context)[0].read_bytes() == whole


def test_connections_are_shared_out_among_the_fetchers(context: RunContext) -> None:
    made = under(context, "fetch.concurrency=10")
    share = [fetcher_config(replace(made, num_fetchers=n)) for n in (0, 1, 3, 99)]
    assert [config.concurrency for config in share] == [10, 10, 3, 1]
    assert all(config.per_host >= 1 for config in share)
    assert share[2].timeout_s == made.recipe.fetch.timeout_s
