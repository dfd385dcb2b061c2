"""Models that are spread over ranks in processes of their own, and what those ranks hold of them."""

import multiprocessing
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import torch
import torch.distributed as dist
from torch.distributed.tensor import DTensor
from torch.distributed.tensor.debug import CommDebugMode
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

from tests.integration.ports import free_port
from train_bridge.model.images import ImageForm
from train_bridge.training.ranks import Ranks, gather, joined_ranks
from train_bridge.training.spread import set_gradient_sync, share_model, spread_model

DEADLINE_S = 150
FORM = ImageForm(height=16, width=16, shorter_side=None, resample=3, mean=(0.5,) * 3, std=(0.5,) * 3)
Results: TypeAlias = "multiprocessing.Queue[object]"


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """What one rank held."""

    grown_bytes: int
    """Most of host memory while it started, less what it had before."""
    shard_bytes: int
    whole_bytes: int


def model_config(*, width: int, num_layers: int, vocab_size: int, ties: bool = False) -> LlavaConfig:
    vision = CLIPVisionConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, image_size=16, patch_size=8
    )
    text = LlamaConfig(
        vocab_size=vocab_size,
        hidden_size=width,
        intermediate_size=3 * width,
        num_hidden_layers=num_layers,
        num_attention_heads=4,
        num_key_value_heads=4,
        tie_word_embeddings=ties,
    )
    return LlavaConfig(vision_config=vision, text_config=text, image_token_index=3, tie_word_embeddings=ties)


def built(config: LlavaConfig) -> LlavaForConditionalGeneration:
    torch.manual_seed(0)
    return LlavaForConditionalGeneration(config)


def spread(
    config: LlavaConfig, ranks: Ranks, *, shape: tuple[int, int], dtype: torch.dtype = torch.float32
) -> LlavaForConditionalGeneration:
    """Start as a run does: the first rank has the weights."""
    source = built(config) if ranks.is_first else None
    model = share_model(source, ranks=ranks)
    spread_model(model, source, ranks=ranks, dtype=dtype, shape=shape)
    return model


def _memory_bytes(field: str) -> int:
    found = re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="utf-8"))
    assert found is not None
    return int(found[1]) * 1024


def measure_memory(ranks: Ranks) -> list[Held]:
    """Return what each rank held; a small model first, so that libraries have what they take once."""
    spread(model_config(width=64, num_layers=1, vocab_size=64), ranks, shape=(1, ranks.world_size))
    config = model_config(width=512, num_layers=8, vocab_size=32_000)
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # the peak is what there is now
    before = _memory_bytes("VmRSS")
    model = spread(config, ranks, shape=(1, ranks.world_size))
    parameters = list(model.parameters())
    local = [p.to_local() if isinstance(p, DTensor) else p for p in parameters]
    return gather(
        Held(
            grown_bytes=_memory_bytes("VmHWM") - before,
            shard_bytes=sum(p.numel() * p.element_size() for p in local),
            whole_bytes=sum(p.numel() * p.element_size() for p in parameters),
        )
    )


def compare_values(ranks: Ranks) -> list[str]:
    """Return the names of what a spread model has otherwise than the whole one; none where all is right."""
    wrong = []
    for shape in ((1, ranks.world_size), (ranks.world_size, 1)):
        for ties in (False, True):
            config = model_config(width=40, num_layers=2, vocab_size=71, ties=ties)  # what does not divide by ranks
            model, whole = spread(config, ranks, shape=shape), built(config)
            expected = dict(whole.named_parameters()) | dict(whole.named_buffers())
            found = {
                name: value.full_tensor() if isinstance(value, DTensor) else value
                for name, value in (*model.named_parameters(), *model.named_buffers())
            }
            wrong += sorted(expected.keys() ^ found.keys())
            wrong += [name for name, value in expected.items() if not torch.equal(value, found[name])]
            if (model.lm_head.weight is model.model.language_model.embed_tokens.weight) is not ties:
                wrong.append(f"ties {ties}")
    return wrong


def gradients_and_sums(
    model: LlavaForConditionalGeneration, *, defers: bool
) -> tuple[dict[str, torch.Tensor], dict[str, int]]:
    """Learn in three micro-steps; return the gradients, and how often ranks summed some; there are three groups."""
    counter = CommDebugMode()  # type: ignore[no-untyped-call]
    with counter:
        for micro_step in range(3):
            set_gradient_sync(model, is_last=micro_step == 2, defers=defers)
            ids_bl = torch.arange(8)[None] + 10 * micro_step + 4 * dist.get_rank()
            torch.autograd.backward(model(input_ids=ids_bl, use_cache=False).logits.square().sum())
    by_name = {str(name): count for name, count in counter.get_comm_counts().items()}
    counts = {
        "reduce_scatter": sum(count for name, count in by_name.items() if "reduce_scatter" in name),
        "all_reduce": sum(count for name, count in by_name.items() if "allreduce" in name),
    }
    return full_gradients(model), counts


def compare_sums(ranks: Ranks) -> dict[str, dict[str, int]]:
    """Return how often gradients are sent, by how ranks share a model; the gradients are the same."""
    config = model_config(width=32, num_layers=2, vocab_size=64)
    found, expected = {}, None
    for name, shape, defers in (
        ("shards", (1, ranks.world_size), False),
        ("shards, deferred", (1, ranks.world_size), True),
        ("replicas", (ranks.world_size, 1), False),
        ("replicas, deferred", (ranks.world_size, 1), True),
    ):
        gradients, found[name] = gradients_and_sums(spread(config, ranks, shape=shape), defers=defers)
        expected = expected or gradients
        assert expected.keys() == gradients.keys()
        for weight, gradient in gradients.items():
            torch.testing.assert_close(gradient, expected[weight])
    return found


def full_gradients(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    grads = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    return {name: g.full_tensor() if isinstance(g, DTensor) else g for name, g in grads.items()}


def _run(
    work: Callable[[Ranks], object], environment: dict[str, str], results: "multiprocessing.Queue[object]"
) -> None:
    os.environ.update(environment)
    torch.set_num_threads(1)
    with joined_ranks() as ranks:
        result = work(ranks)
        if ranks.is_first:
            results.put(result)


def on_ranks(work: Callable[[Ranks], object], *, num_ranks: int) -> object:
    """Return what the first of some ranks returns."""
    context = multiprocessing.get_context("spawn")
    results: Results = context.Queue()
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": str(num_ranks)}
    processes = []
    for rank in range(num_ranks):
        environment = {**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)}
        processes.append(context.Process(target=_run, args=(work, environment, results)))
        processes[-1].start()
    for process in processes:  # what they return is small, so that nobody waits for it to be read
        process.join(DEADLINE_S)
    assert [process.exitcode for process in processes] == [0] * num_ranks
    return results.get(timeout=DEADLINE_S)
