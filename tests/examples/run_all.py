"""Runs every example whole, then stopped and resumed, and prints the losses of both as JSON.

In one process, because importing the trainers takes most of the time; what is resumed is read from files all the same.
"""

import io
import json
import multiprocessing
import re
import runpy
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).parents[2] / "examples"


def main(shards: str, model: str, out: str) -> None:
    multiprocessing.set_forkserver_preload(["train_bridge.data.shard_dataset"])
    data = [shards, model]
    found: dict[str, Any] = {}
    torchdata, hf, lightning = (load(name) for name in ("torchdata_loop", "hf_trainer", "lightning_module"))
    for workers in ("0", "2"):
        whole, parts = f"{out}/whole{workers}.pt", f"{out}/parts{workers}.pt"
        found[f"torchdata {workers}"] = [
            losses(torchdata, *data, whole, "--steps", "5", "--num-workers", workers),
            losses(torchdata, *data, parts, "--steps", "3", "--num-workers", workers)
            + losses(torchdata, *data, parts, "--steps", "2", "--num-workers", workers),
        ]
    for name, example, options in (("trainer", hf, ["--save-every", "2"]), ("lightning", lightning, [])):
        whole, parts = f"{out}/{name}/whole", f"{out}/{name}/parts"
        first = losses(example, *data, parts, "--steps", "2", *options)
        resumed = losses(example, *data, parts, "--steps", "4", "--resume")
        found[name] = [losses(example, *data, whole, "--steps", "4"), first + resumed[-2:]]
    sys.stdout.write(json.dumps(found) + "\n")


def load(name: str) -> Callable[[list[str]], None]:
    """Import an example, as the file that a user would run."""
    run: Callable[[list[str]], None] = runpy.run_path(str(EXAMPLES / f"{name}.py"))["main"]
    return run


def losses(run: Callable[[list[str]], None], *arguments: str) -> list[float]:
    """Run an example and return the losses that it prints."""
    with redirect_stdout(io.StringIO()) as output:
        run([*arguments, "--seq-length", "64"])
    return [float(value) for value in re.findall(r"^step \d+ loss (\S+)", output.getvalue(), flags=re.MULTILINE)]


if __name__ == "__main__":
    main(*sys.argv[1:])
