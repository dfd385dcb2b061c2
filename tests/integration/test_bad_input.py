"""Bad input from the command line's side: exit codes and where the reason is to be found."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.integration.conftest import run_curate

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
RECIPE = """
sources:
  - {name: good, type: instructions, path: good.jsonl}
  - {name: bad, type: pairs, path: %s}
fetch: {allow_private: [127.0.0.1]}
"""
LINES = [
    json.dumps({"messages": [{"role": "user", "content": f"{n}?"}, {"role": "assistant", "content": "yes"}]})
    for n in range(5)
]


def test_three_mistakes_are_named_at_once_and_nothing_starts(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        "sources: [{name: a, type: instructions, path: a.jsonl, pth: b}]\nblend: {unit: words}\nkeeep: {}\n"
    )
    output = run_curate("run", recipe, "--out", tmp_path / "out", expect=2)
    assert all(path in output for path in ("sources.0", "pth", "blend.unit", "keeep", "'keep'"))
    assert not (tmp_path / "out").exists()


def test_a_missing_file_fails_its_source_only(tmp_path: Path) -> None:
    (tmp_path / "good.jsonl").write_text("\n".join([*LINES, "{not json"]))
    (tmp_path / "recipe.yaml").write_text(RECIPE % "missing.parquet")
    output = run_curate("run", tmp_path / "recipe.yaml", "--out", tmp_path / "out", "--workers", 1, expect=1)
    ledger = json.loads((tmp_path / "out" / "ledger.json").read_text())
    assert ledger["sources"]["bad"]["documents"]["rejected"] == {"ingest.missing_file": 1}
    assert ledger["sources"]["good"]["documents"] == {"in": 6, "kept": 5, "rejected": {"ingest.malformed_record": 1}}
    assert "good.jsonl:6" in output
    assert "no record of bad could be read" in output


def test_a_blend_that_misses_an_unreadable_source_is_accounted_for_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "good.jsonl").write_text("\n".join(LINES))
    weights = "blend: {weights: {pair: 0.5, text: 0.5}}\n"
    (tmp_path / "recipe.yaml").write_text(RECIPE % "missing.parquet" + weights)
    out = tmp_path / "out"
    output = run_curate("run", tmp_path / "recipe.yaml", "--out", out, "--workers", 1, expect=1)
    assert "no record of bad could be read" in output
    assert "blend.weights.pair" in output
    ledger = json.loads((out / "ledger.json").read_text())
    assert ledger["sources"]["bad"]["documents"]["rejected"] == {"ingest.missing_file": 1}
    assert ledger["sources"]["good"]["documents"] == {"in": 5, "kept": 0, "rejected": {"blend.not_drawn": 5}}
    before = (out / "report.html").read_bytes()
    run_curate("report", out)
    assert (out / "report.html").read_bytes() == before


def test_a_truncated_parquet_is_a_reason_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "good.jsonl").write_text("\n".join(LINES))
    table = pa.table({"url": ["http://127.0.0.1:9/a.jpg"] * 100, "text": ["a caption"] * 100})
    pq.write_table(table, tmp_path / "whole.parquet")
    data = (tmp_path / "whole.parquet").read_bytes()
    (tmp_path / "cut.parquet").write_bytes(data[: len(data) // 2])
    (tmp_path / "recipe.yaml").write_text(RECIPE % "cut.parquet")
    run_curate("run", tmp_path / "recipe.yaml", "--out", tmp_path / "out", "--workers", 1, expect=1)
    ledger = json.loads((tmp_path / "out" / "ledger.json").read_text())
    assert ledger["sources"]["bad"]["documents"]["rejected"] == {"ingest.unreadable_file": 1}
    assert any("cut.parquet" in fault["detail"] for fault in ledger["faults"])
