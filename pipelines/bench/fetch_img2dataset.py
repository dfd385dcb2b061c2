"""img2dataset's side of the fetch benchmark. It runs in its own environment, so it imports nothing of ours.

It prints what `fetch_ours.py` prints. The shard's code is called as img2dataset's own workers call it.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
from img2dataset.downloader import Downloader
from img2dataset.resizer import Resizer
from img2dataset.writer import WebDatasetSampleWriter


def main() -> None:
    """Fetch a job's URLs shard by shard into tar files, by img2dataset's defaults but for what the job says."""
    job = json.loads(Path(sys.argv[1]).read_text())
    _fetch(job["warm_up"], job)
    start_s, start_cpu_s = time.perf_counter(), time.process_time()
    num_images = _fetch(job["urls"], job)
    seconds, cpu_seconds = time.perf_counter() - start_s, time.process_time() - start_cpu_s
    lines = Path("/proc/self/status").read_text().splitlines()
    peak_bytes = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024
    sys.stdout.write(
        "\n"
        + json.dumps({"images": num_images, "seconds": seconds, "cpu_seconds": cpu_seconds, "peak_bytes": peak_bytes})
        + "\n"
    )


def _fetch(urls: list[str], job: dict[str, Any]) -> int:
    downloader = _downloader(job)
    num_images = 0
    for shard, start in enumerate(range(0, len(urls), job["partition"])):
        path = Path(job["out"], f"{shard}.feather")
        table = pa.table({"url": urls[start : start + job["partition"]]})
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
        downloader((shard, str(path)))
        num_images += json.loads(Path(job["out"], f"{shard:05d}_stats.json").read_text())["successes"]
    return num_images


def _downloader(job: dict[str, Any]) -> Downloader:
    side = job["shorter_side"]
    return Downloader(
        sample_writer_class=WebDatasetSampleWriter,
        resizer=Resizer(
            image_size=side or 256,
            resize_mode="no" if side is None else "keep_ratio",
            resize_only_if_bigger=True,
            disable_all_reencoding=side is None,
        ),
        thread_count=job["concurrency"],
        save_caption=False,
        extract_exif=False,
        output_folder=job["out"],
        column_list=["url"],
        timeout=20,
        number_sample_per_shard=job["partition"],
        oom_shard_count=5,
        compute_hash="sha256",
        verify_hash_type=None,
        encode_format="jpg",
        retries=0,
        user_agent_token=None,
        disallowed_header_directives=["noai", "noimageai", "noindex", "noimageindex"],
    )


if __name__ == "__main__":
    main()
