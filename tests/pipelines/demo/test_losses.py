import json
from pathlib import Path

from pipelines.demo.losses import read_losses


def test_lines_without_a_loss_are_passed_over(tmp_path: Path) -> None:
    lines = [
        {"step": 0, "data": {}},
        {"step": 1, "loss": 2.5},
        {"step": 2, "skipped_sample": {}},
        {"step": 2, "loss": 2.0},
    ]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert read_losses(tmp_path) == [(1, 2.5), (2, 2.0)]
