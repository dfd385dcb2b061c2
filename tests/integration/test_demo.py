"""The whole demo, as a newcomer runs it: web, shards, three stages of training, evaluation, report."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

TIMEOUT_S = 900


def test_the_demo_ends_in_a_report(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pipelines.cli", "demo", "--out", str(tmp_path / "demo"), "--docs", "40"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "demo" / "corpus" / "report.html").exists()
    assert (tmp_path / "demo" / "train" / "demo_stage2" / "final" / "model.safetensors").exists()
    assert "demo_stage2" in done.stdout
