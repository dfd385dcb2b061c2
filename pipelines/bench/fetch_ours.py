"""Our side of the fetch benchmark, a process of its own: `python -m pipelines.bench.fetch_ours JOB.json`.

It prints `{"images": successes, "seconds": ..., "cpu_seconds": ..., "peak_bytes": of the whole process}`; the times are
without imports and a warm-up.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa

from curate.fetch.config import FetchConfig
from curate.fetch.images import stream_images
from pipelines.run.folder import RunFolder
from pipelines.run.segments import SegmentWriter
from pipelines.run.tables import IMAGES


def main() -> None:
    """Fetch a job's URLs partition by partition, committed in segments, as the fetch stage does."""
    job = json.loads(Path(sys.argv[1]).read_text())
    config = FetchConfig.model_validate(job["config"])
    _fetch(job["warm_up"], job, config)
    start_s, start_cpu_s = time.perf_counter(), time.process_time()
    num_images = _fetch(job["urls"], job, config)
    seconds, cpu_seconds = time.perf_counter() - start_s, time.process_time() - start_cpu_s
    sys.stdout.write(
        json.dumps({"images": num_images, "seconds": seconds, "cpu_seconds": cpu_seconds, "peak_bytes": peak_bytes()})
        + "\n"
    )


def peak_bytes() -> int:
    """Return the largest resident size of this process (Linux); `ru_maxrss` would count the parent's before exec."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024


def _fetch(urls: list[str], job: dict[str, Any], config: FetchConfig) -> int:
    num_images = 0
    for start in range(0, len(urls), job["partition"]):
        writer = SegmentWriter(RunFolder(job["out"]), IMAGES, f"{start:05d}", note="")
        own = urls[start : start + job["partition"]]
        wanted = pa.table({"doc_id": ["0"] * len(own), "position": range(len(own)), "image_url": own})
        stream_images(wanted, store=writer, config=config, slots=None)
        num_images += writer.num_ok
    return num_images


if __name__ == "__main__":
    main()
