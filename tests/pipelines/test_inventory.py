import json
from pathlib import Path

import pytest

from curate.contract.errors import CurateError
from pipelines.inventory import list_decisions, list_removable, list_sets, remove
from pipelines.run.folder import RunFolder, write_json, write_text
from pipelines.views import show_inventory, show_status


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    made = RunFolder(str(tmp_path))
    write_json(made.file("state.json"), {"status": "done"})
    write_json(made.file("blend", "main.json"), {"samples": 5, "decision": "used"})
    write_json(made.file("blend", "old.json"), {"samples": 3})
    write_json(made.file("blend", "tokenizers", "names.json"), {})
    write_text(made.file("blend", "main.recipe.yaml"), "")
    write_json(made.file("shards", "main", "manifest.json"), {})
    for name in ("used", "spare", "broken"):
        write_text(made.file("decided", name, "verdicts", "p.parquet"), "x" * 1000)
        if name != "broken":
            write_json(made.file("decided", name, "counts.json"), {})
    return made


def test_sets_and_decisions_are_listed_with_what_they_have_to_do_with_each_other(folder: RunFolder) -> None:
    assert [(one.name, one.decision, one.num_samples, one.is_finished) for one in list_sets(folder)] == [
        ("main", "used", 5, True),
        ("old", None, 3, False),
    ]
    assert [(one.name, one.is_finished, one.used_by) for one in list_decisions(folder)] == [
        ("broken", False, ()),
        ("spare", True, ()),
        ("used", True, ("main",)),
    ]


def test_status_names_sets_and_decisions(folder: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    show_inventory(folder)
    assert capsys.readouterr().out.splitlines() == [
        "shard set main: 5 samples, of decision used",
        "shard set old (not finished): 3 samples",
        "decision broken (not finished): unused; curate clean removes it",
        "decision spare: unused; curate clean removes it",
        "decision used: of main",
    ]


def test_status_for_programs_has_them_too(folder: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    show_status(folder.root, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert [(one["name"], one["is_finished"]) for one in told["shard_sets"]] == [("main", True), ("old", False)]
    assert [(one["name"], one["used_by"]) for one in told["decisions"]] == [
        ("broken", []),
        ("spare", []),
        ("used", ["main"]),
    ]


def test_what_no_set_needs_is_listed_first_and_removed_on_request(folder: RunFolder) -> None:
    write_text(folder.file("shuffle", "urls", "a.arrow"), "left")
    found = list_removable(folder)
    assert [Path(one.path).name for one in found] == ["broken", "spare", "shuffle"]
    assert found[0].size_bytes == 1000
    assert Path(folder.file("decided", "spare")).exists()
    remove(found)
    assert [one.name for one in list_decisions(folder)] == ["used"]
    assert list_removable(folder) == []


def test_without_a_run_there_is_nothing_to_clean(tmp_path: Path) -> None:
    with pytest.raises(CurateError, match="no run here"):
        list_removable(RunFolder(str(tmp_path)))
