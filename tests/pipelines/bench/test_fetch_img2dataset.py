import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from pipelines.bench import fetch
from pipelines.bench.peer_env import FOLDER
from tests.pipelines.bench.test_fetch_ours import small_job

PYTHON = FOLDER.absolute() / "img2dataset" / "bin" / "python"


@pytest.mark.skipif(not PYTHON.exists() or shutil.which("openssl") is None, reason="there is no .bench/img2dataset")
def test_a_job_ends_in_tar_files_and_one_line(tmp_path: Path) -> None:
    script = Path(fetch.__file__).with_name("fetch_img2dataset.py")
    with fetch._serve(tmp_path) as bench:
        environ = os.environ | {"SSL_CERT_FILE": str(bench.certificates.bundle), "NO_ALBUMENTATIONS_UPDATE": "1"}
        command = [str(PYTHON), str(script), str(small_job(bench, tmp_path))]
        done = subprocess.run(command, check=True, capture_output=True, timeout=90, env=environ)
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["images"] == 5
    with tarfile.open(tmp_path / "00000.tar") as tar:
        assert sum(name.endswith(".jpg") for name in tar.getnames()) == 3
