from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from pipelines.run import tables
from pipelines.write.origins import format_time, load_page_facts, provenance, tells_fetches
from tests.pipelines.corpus import make_context, write

SOURCES = """
sources: [{name: web, type: pages, path: p.txt}, {name: cc, type: warc, path: a.warc}, {name: m, type: mmc4, path: m}]
fetch: {contact: 'mailto:a@b.example'}
"""
FULL = "shards: {provenance: full}\n"
TIME = datetime(2026, 1, 2, 3, 4, 5, 600_000, tzinfo=UTC)
P = "web-00000-00000"


def test_what_is_not_known_is_left_out() -> None:
    document = {"origin": {"file": "a", "row": 2, "record": None, "caption": None}}
    facts = {"final_url": None, "fetched_at": TIME}
    assert provenance(document, facts, with_time=False) == {"file": "a", "row": 2}
    assert provenance(document, facts, with_time=True) == {"file": "a", "row": 2, "fetched_at": "2026-01-02T03:04:05Z"}
    moved = {"final_url": "http://h/x"}
    assert provenance({"origin": None}, moved, with_time=True) == moved
    assert provenance({}, {}, with_time=True) == {}


@pytest.mark.parametrize(("recipe", "told"), [("", {"web": False, "cc": True}), (FULL, {"web": True, "cc": True})])
def test_the_clock_of_a_run_is_told_on_request_only(tmp_path: Path, recipe: str, told: dict[str, bool]) -> None:
    context = make_context(tmp_path, recipe, sources=SOURCES)
    assert {source: tells_fetches(context, source) for source in told} == told


def test_facts_are_read_of_pages_alone(tmp_path: Path) -> None:
    context = make_context(tmp_path, sources=SOURCES)
    assert load_page_facts(context, "m-00000-00000", {"m": {"source": "m"}}) == {}
    write(context, tables.PAGE_FACTS, P, [{"doc_id": "a", "final_url": "http://h/x"}, {"doc_id": "b"}])
    facts = load_page_facts(context, P, {"a": {"source": "web"}})
    assert list(facts) == ["a"]
    assert facts["a"]["final_url"] == "http://h/x"


def test_times_are_utc_to_the_second() -> None:
    assert format_time(None) is None
    assert format_time(TIME.astimezone(timezone(timedelta(hours=5)))) == "2026-01-02T03:04:05Z"
    assert format_time(datetime(999, 1, 1, tzinfo=UTC)) == "0999-01-01T00:00:00Z"
