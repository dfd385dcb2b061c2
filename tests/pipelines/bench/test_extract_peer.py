import subprocess
import sys
from pathlib import Path

from pipelines.bench import extract_peer
from pipelines.bench.ingest import write_pages


def test_a_peer_runs_alone(tmp_path: Path) -> None:
    write_pages(tmp_path / "pages", num_pages=1)
    command = [sys.executable, "-c", STANDIN.format(extract_peer.__file__), "trafilatura", str(tmp_path / "pages")]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert float(done.stdout) > 0


STANDIN = """
import runpy, sys, types
sys.modules["trafilatura"] = types.SimpleNamespace(extract=lambda page, include_images: page)
sys.argv[0] = {0!r}
runpy.run_path({0!r}, run_name="__main__")
"""
