"""Measures training on this machine's GPU in several settings: ``python -m train_bridge.bench.device --out FILE.json``.

Everything is made here: documents, tokenizer, random weights of 1.6 billion. First it is checked that flex attention
learns what attention by segments does; then come 50 steps of stage 1, in which memory may not grow and the loss must
fall; then shorter runs with one setting changed each, until the time is over. ``FILE.json`` is written after each part,
so that nothing is lost to a machine that is taken away. ``--small`` does all of it on a CPU, in a minute, to try it.
"""

import argparse
import gc
import json
import math
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field

import torch
from transformers.utils import logging as transformers_logging

from curate.contract.errors import CurateError
from shards.storage import write_bytes
from train_bridge.bench.attention import compare_attentions
from train_bridge.bench.gpu import LARGE, measure_steps
from train_bridge.bench.head import measure_head
from train_bridge.bench.train import write_documents
from train_bridge.model.mask import Attention
from train_bridge.model_config import TinyConfig
from train_bridge.training.ranks import Ranks, joined_ranks

Changes = dict[str, dict[str, object]]
"""Settings by section."""
BUDGET_S = 400.0
"""After which no part begins that would take as long as the longest so far."""
MAX_ERROR = 0.05
"""Of loss and gradient in bf16, as a share of those in fp32: they have 8 bits."""
MAX_GROWTH_BYTES = 64 << 20
"""Of memory in use at the end of a step, from the first half of the steps to the second: packs are of unlike images."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sizes:
    """What is measured."""

    model: TinyConfig
    compared: TinyConfig
    """Of the comparison of attentions, which holds gradients several times."""
    attentions: tuple[Attention, ...]
    seq_length: int
    long_seq_length: int
    global_batch: int
    soak_steps: int
    variant_steps: int
    num_docs: int
    run: dict[str, object] = field(default_factory=dict)
    head: dict[str, int] = field(default_factory=dict)
    """Of ``measure_head``."""


GPU = Sizes(
    model=LARGE,
    compared=LARGE.model_copy(update={"num_layers": 4, "vision_num_layers": 4}),
    attentions=("flex", "segments"),
    seq_length=4096,
    long_seq_length=32_768,
    global_batch=8,
    soak_steps=50,
    variant_steps=12,
    num_docs=800,
)
_TINY = TinyConfig(hidden_size=32, num_layers=2, vision_hidden_size=16, vision_num_layers=2, image_size=32)
SMALL = Sizes(
    model=_TINY,
    compared=_TINY,
    attentions=("mask", "segments"),
    seq_length=256,
    long_seq_length=512,
    global_batch=2,
    soak_steps=10,
    variant_steps=4,
    num_docs=60,
    run={"num_workers": 0},
    head={"num_places": 64, "width": 16, "vocab_size": 1000, "chunk_bytes": 64_000},
)
VARIANTS: dict[str, Changes] = {
    "attention_by_segments": {"run": {"attention": "segments"}},
    "nothing_recomputed": {"run": {"gradient_checkpointing": False}},
    "inputs_in_host_memory": {"run": {"activation_offload": True}},
    "adamw_8bit": {"optim": {"optimiser": "adamw_8bit"}},
    "compiled": {"run": {"compile": True}},
}


def main(arguments: Sequence[str]) -> int:
    """Measure, write and print; return 1 where a check fails, 2 where there is no GPU."""
    parser = argparse.ArgumentParser(prog="train_bridge.bench.device", description=str(__doc__).partition("\n")[0])
    parser.add_argument("--out", required=True, help="JSON file of the figures")
    parser.add_argument("--budget", type=float, default=BUDGET_S, help="seconds; what does not fit is left out")
    parser.add_argument("--small", action="store_true", help="on a CPU, to try it")
    options = parser.parse_args(arguments)
    if not options.small and not torch.cuda.is_available():
        sys.stderr.write("error: there is no CUDA device; --small tries it on the CPU\n")
        return 2
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    report = Report(options.out, budget_s=options.budget)
    with tempfile.TemporaryDirectory() as folder, joined_ranks() as ranks, redirect_stdout(sys.stderr):
        measure_all(report, folder, ranks=ranks, sizes=SMALL if options.small else GPU)
    faults = find_faults(report.content)
    report.add("faults", faults)
    sys.stdout.write(json.dumps(report.content, indent=1) + "\n")
    return 1 if faults else 0


class Report:
    """Figures by part, in a file that is whole after each."""

    def __init__(self, path: str, *, budget_s: float) -> None:
        """Begin.

        Args:
            path: Of the file.
            budget_s: Seconds from now.
        """
        self.content: dict[str, object] = {}
        self._path, self._budget_s, self._longest_s = path, budget_s, 0.0
        self._start_s = time.monotonic()

    def add(self, name: str, value: object) -> None:
        """Note the value of a part."""
        self.content[name] = value
        write_bytes(self._path, json.dumps(self.content, indent=1).encode())

    def measure(self, name: str, part: Callable[[], dict[str, object]]) -> None:
        """Measure a part, or note that there is no time for it; also note how long it took, or why it failed."""
        start_s = time.monotonic()
        if start_s - self._start_s + self._longest_s > self._budget_s:
            self.add(name, {"left_out": "no time"})
            return
        try:
            found = part()
        except (CurateError, OSError, RuntimeError, ValueError) as error:  # no memory: the others are worth having
            found = {"failed": " ".join(str(error).split())[:500]}
        seconds = time.monotonic() - start_s
        self._longest_s = max(self._longest_s, seconds)
        self.add(name, {**found, "seconds": seconds})
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def measure_all(
    report: Report, folder: str, *, ranks: Ranks, sizes: Sizes, variants: Sequence[str] = tuple(VARIANTS)
) -> None:
    """Measure all parts.

    Args:
        report: Takes the figures.
        folder: For data and runs.
        ranks: Of this process; one.
        sizes: What is measured.
        variants: Of ``VARIANTS``, in this order.
    """
    is_cuda = ranks.device.type == "cuda"
    report.add("device", torch.cuda.get_device_name() if is_cuda else "cpu")
    report.add("torch", torch.__version__)
    shards = write_documents(f"{folder}/set", num_docs=sizes.num_docs)

    def compare() -> dict[str, object]:
        found = compare_attentions(
            shards,
            f"{folder}/attention",
            ranks=ranks,
            model=sizes.compared,
            seq_length=sizes.seq_length,
            attentions=sizes.attentions,
        )
        return {**found}

    def steps(
        name: str, *, num_steps: int, seq_length: int, changes: Changes | None = None
    ) -> Callable[[], dict[str, object]]:
        tokens = sizes.seq_length * sizes.global_batch
        settings = {**sizes.run, "cache_dir": f"{folder}/cache", **(changes or {}).get("run", {})}

        def measure() -> dict[str, object]:
            found = measure_steps(
                shards,
                f"{folder}/{name}",
                ranks=ranks,
                model=sizes.model,
                seq_length=seq_length,
                global_batch=tokens // seq_length,
                num_steps=num_steps,
                changes={**(changes or {}), "run": settings},
            )
            return {**found}

        return measure

    report.measure("attention", compare)
    report.measure("soak", steps("soak", num_steps=sizes.soak_steps, seq_length=sizes.seq_length))
    report.measure("head", lambda: {**measure_head(device=ranks.device, **sizes.head)})
    offloaded: Changes = {"run": {"activation_offload": True}}
    num_steps, seq_length = sizes.variant_steps, sizes.long_seq_length
    report.measure("long_sequences", steps("long", num_steps=num_steps, seq_length=seq_length, changes=offloaded))
    for name in variants:
        changed = steps(name, num_steps=num_steps, seq_length=sizes.seq_length, changes=VARIANTS[name])
        report.measure(name, changed)


def find_faults(content: dict[str, object]) -> list[str]:
    """Return what is wrong with the figures of attention and soak; none where all is as it must be."""
    faults = []
    attention, soak = (found if isinstance(found := content[name], dict) else {} for name in ("attention", "soak"))
    for name, part in (("attention", attention), ("soak", soak)):
        faults += [f"{name}: {part[why]}" for why in ("failed", "left_out") if why in part]
    for kind, found in attention.items():
        if not isinstance(found, dict):
            continue
        if not all(
            found[error] <= MAX_ERROR for error in ("loss_error", "gradient_error")
        ):  # also where it is no number
            faults.append(f"attention {kind} is off by {found['loss_error']:.2%}, {found['gradient_error']:.2%}")
    if "last_loss" in soak:
        if not (math.isfinite(soak["last_loss"]) and soak["last_loss"] < soak["first_loss"]):
            faults.append(f"soak: the loss went from {soak['first_loss']} to {soak['last_loss']}")
        if soak["memory_growth_bytes"] > MAX_GROWTH_BYTES:
            faults.append(f"soak: memory grew by {soak['memory_growth_bytes']:,.0f} bytes")
    return faults


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
