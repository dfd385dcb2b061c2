import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pipelines.engine.loop import Report
from pipelines.run.folder import RunFolder
from pipelines.run.progress import Progress


def progress_in(tmp_path: Path, *, terminal: bool = False) -> tuple[Progress, io.StringIO]:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=terminal, width=120)
    return Progress(RunFolder(str(tmp_path)), console=console), screen


def state_of(tmp_path: Path) -> Any:
    return json.loads((tmp_path / "state.json").read_text(encoding="utf-8"))


def events_of(tmp_path: Path) -> list[Any]:
    lines = (tmp_path / "logs/events.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_state_and_events_are_written_for_machines(tmp_path: Path) -> None:
    progress, _ = progress_in(tmp_path)
    with progress:
        progress.begin("measure", 2)
        progress.report(Report(stage="ingest", partition="a.jsonl", counters={"documents": 3}))
        progress.expect(4)
        progress.report(Report(stage="measure_text", partition="p", skipped=True))
        progress.report(Report(stage="measure_text", partition="q", counters={"text": 5}))
    assert state_of(tmp_path) == {
        "status": "done",
        "phase": "measure",
        "done": 3,
        "total": 6,
        "stages": {
            "ingest": {"done": 1, "skipped": 0, "documents": 3},
            "measure_text": {"done": 2, "skipped": 1, "text": 5},
        },
    }
    events = events_of(tmp_path)
    assert [(event["stage"], event["partition"], event["skipped"]) for event in events] == [
        ("ingest", "a.jsonl", False),
        ("measure_text", "p", True),
        ("measure_text", "q", False),
    ]
    assert (events[0]["documents"], events[2]["text"]) == (3, 5)
    assert all(event["time_s"] > 1.7e9 for event in events)


def test_a_run_that_breaks_is_stopped_and_says_where(tmp_path: Path) -> None:
    progress, _ = progress_in(tmp_path)

    def run() -> None:
        with progress:
            progress.begin("measure", 2)
            progress.report(Report(stage="ingest", partition="a"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    state = state_of(tmp_path)
    assert (state["status"], state["phase"], state["done"], state["total"]) == ("stopped", "measure", 1, 2)


def test_state_is_there_while_the_run_goes_on(tmp_path: Path) -> None:
    progress, _ = progress_in(tmp_path)
    with progress:
        progress.begin("measure", 2)
        progress.report(Report(stage="ingest", partition="a"))
        assert state_of(tmp_path)["status"] == "running"


def test_a_second_run_adds_its_events_to_the_first(tmp_path: Path) -> None:
    for partition in ("a", "b"):
        progress, _ = progress_in(tmp_path)
        with progress:
            progress.begin("measure", 1)
            progress.report(Report(stage="ingest", partition=partition))
    assert [event["partition"] for event in events_of(tmp_path)] == ["a", "b"]
    assert state_of(tmp_path)["stages"] == {"ingest": {"done": 1, "skipped": 0}}


def test_elsewhere_than_on_a_terminal_each_phase_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    progress, screen = progress_in(tmp_path)
    with progress:
        progress.begin("measure", 2)
        progress.report(Report(stage="ingest", partition="a"))
        progress.begin("shards", 0)
    assert capsys.readouterr().err == "measure: 1 of 2 tasks\nshards: 0 of 0 tasks\n"
    assert screen.getvalue().strip() == ""


def test_a_terminal_shows_bars(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    progress, screen = progress_in(tmp_path, terminal=True)
    with progress:
        progress.begin("measure", 1)
        progress.expect(1)
        progress.report(Report(stage="ingest", partition="a.jsonl"))
    assert "measure" in screen.getvalue()
    assert "1/2" in screen.getvalue()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("partition", ["docs[/b].jsonl", "docs_[red].jsonl"])
def test_file_names_are_shown_as_they_are(tmp_path: Path, partition: str) -> None:
    progress, screen = progress_in(tmp_path, terminal=True)
    with progress:
        progress.begin("measure", 1)
        progress.report(Report(stage="ingest", partition=partition))
    assert partition in screen.getvalue()


def test_a_run_that_never_began_a_phase_has_a_state(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    progress, _ = progress_in(tmp_path)
    with progress:
        pass
    assert state_of(tmp_path) == {"status": "done", "phase": "start", "done": 0, "total": 0, "stages": {}}
    assert events_of(tmp_path) == []
    assert capsys.readouterr().err == ""


def test_without_a_folder_phases_are_shown_and_nothing_is_kept() -> None:
    screen = io.StringIO()
    with Progress(None, console=Console(file=screen, force_terminal=True, width=120)) as progress:
        progress.begin("verify main", 2)
        progress.report(Report(stage="verify", partition="00000.tar"))
    assert "verify main" in screen.getvalue()
    assert progress._events == []
