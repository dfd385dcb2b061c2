import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from curate.contract.errors import CurateError
from curate.report.data import TruthFigure
from pipelines import views
from pipelines.run.folder import write_json
from tests.pipelines.corpus import make_context

SCREEN = pytest.CaptureFixture[str]


def squeezed(text: str) -> str:
    """Return what is on the screen without its layout: cells may be folded."""
    return "".join(text.split()).replace("│", "").replace("┃", "")


def counts(num_in: int, num_kept: int, **rejected: int) -> dict[str, Any]:
    return {
        "in": num_in,
        "kept": num_kept,
        "rejected": {name.replace("__", "."): num for name, num in rejected.items()},
    }


def ledger(**more: Any) -> dict[str, Any]:
    of_source = {"documents": counts(12_000, 9_000, text__words=1_000, doc__images=2_000), "images": counts(3, 3)}
    return {"sources": {"mmc4": of_source}, "totals": of_source, **more}


def test_the_ledger_shows_the_largest_losses_first(capsys: SCREEN) -> None:
    views.show_ledger(ledger())
    shown = squeezed(capsys.readouterr().out)
    assert "12,000" in shown
    assert "doc.images2,000,text.words1,000" in shown
    assert shown.count("mmc4documents") == 1


def test_what_was_read_from_the_web_is_shown_as_it_is(capsys: SCREEN) -> None:
    faults = [{"source": "mmc4", "reason": "ingest.malformed_record", "detail": "a.jsonl#3: [red]not[/red] JSON [/x]"}]
    views.show_ledger(ledger(faults=faults))
    assert "ingest.malformed_record  a.jsonl#3: [red]not[/red] JSON [/x]" in capsys.readouterr().out


@pytest.mark.parametrize("reason", ["[red]", "[/red]"])
def test_a_reason_is_shown_as_it_is(capsys: SCREEN, reason: str) -> None:
    of_source = {"documents": {"in": 1, "kept": 0, "rejected": {reason: 1}}, "images": counts(0, 0)}
    views.show_ledger({"sources": {"mmc4": of_source}, "totals": of_source})
    assert f"{reason}1" in squeezed(capsys.readouterr().out)


@pytest.mark.parametrize("name", ["docs_[ab].jsonl", "docs[/b].jsonl"])
def test_input_files_are_shown_as_they_are(capsys: SCREEN, tmp_path: Path, name: str) -> None:
    context = make_context(tmp_path, sources=f"sources: [{{name: flan, type: instructions, path: '{name}'}}]\n")
    views.show_input(replace(context, base=str(tmp_path)))
    shown = capsys.readouterr().out
    assert name in squeezed(shown)
    assert "the recipe is good; nothing was run" in shown


def test_places_are_shown_as_they_are(capsys: SCREEN) -> None:
    views.show_places({"shards": "runs/[bold]x[/y]/shards", "report": Path("report.html")})
    assert capsys.readouterr().out == "shards     runs/[bold]x[/y]/shards\nreport     report.html\n"


def test_status_shows_state_and_ledger(capsys: SCREEN, tmp_path: Path) -> None:
    state = {"status": "running", "phase": "fetch, measure", "done": 3, "total": 9, "stages": {}}
    write_json(f"{tmp_path}/state.json", state)
    views.show_status(str(tmp_path), as_json=False)
    assert capsys.readouterr().out == "running: fetch, measure, 3 of 9 tasks\n"
    write_json(f"{tmp_path}/ledger.json", ledger())
    views.show_status(str(tmp_path), as_json=False)
    assert "12,000" in capsys.readouterr().out


def test_status_for_programs_is_json(capsys: SCREEN, tmp_path: Path) -> None:
    write_json(f"{tmp_path}/state.json", {"status": "done"})
    views.show_status(str(tmp_path), as_json=True)
    assert json.loads(capsys.readouterr().out) == {
        "state": {"status": "done"},
        "ledger": None,
        "shard_sets": [],
        "decisions": [],
    }
    write_json(f"{tmp_path}/ledger.json", ledger())
    views.show_status(str(tmp_path), as_json=True)
    assert json.loads(capsys.readouterr().out)["ledger"] == ledger()


def test_status_of_no_run_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CurateError, match="no run here"):
        views.show_status(str(tmp_path), as_json=True)


def test_truth_tells_what_was_missed(capsys: SCREEN) -> None:
    good = TruthFigure(name="recall", value=0.99, target=0.95, num_cases=1234)
    views.show_truth([good, replace(good, name="precision", value=0.5), replace(good, name="speed", target=None)])
    lines = [line for line in capsys.readouterr().out.splitlines() if "0.95" in line or "speed" in line]
    assert ["missed" in line for line in lines] == [False, True, False]
    assert "0.990" in lines[0]
    assert "1,234" in lines[0]


def test_losses_and_benches_are_tables(capsys: SCREEN) -> None:
    views.show_losses([("projector", 4.0, 1.25)])
    assert "1.250" in capsys.readouterr().out
    row = {"bench": "engine", "case": "noop", "unit": "tasks/s", "ours": 1234.56, "peer": "dask", "peer_value": 1000.0,
           "ratio": 1.23456, "runs": 5}  # fmt: skip
    views.show_benches([row, {**row, "peer_value": None, "ratio": None}])
    shown = capsys.readouterr().out
    assert shown.count("1,234.6") == 2
    assert shown.count("1.23 ") == 1
