"""Activations that are computed again in the backward pass instead of kept, and where what that starts from waits."""

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import torch
from torch.autograd.graph import save_on_cpu
from transformers import PreTrainedModel

from train_bridge.config import RunConfig
from train_bridge.model.llava import enable_checkpointing
from train_bridge.model.parts import module_of
from train_bridge.model_config import Module

LAYERED = frozenset({Module.LLM, Module.VISION})
"""Modules that consist of layers."""
Keeping = Callable[[], AbstractContextManager[object]]


def recomputed_modules(config: RunConfig) -> frozenset[Module]:
    """Resolve ``run.gradient_checkpointing``."""
    chosen = config.gradient_checkpointing
    if isinstance(chosen, bool):
        return LAYERED if chosen else frozenset()
    return frozenset(map(Module, chosen))


def recompute_activations(
    model: PreTrainedModel, modules: Collection[Module], *, keeping: Keeping | None = None
) -> None:
    """Recompute the activations of the layers of some modules.

    Args:
        model: Not sharded yet.
        modules: Of ``recomputed_modules``.
        keeping: Gives a context of saved-tensor hooks in which a layer's input is kept, such as ``in_host_memory``.
    """
    if not modules:
        return
    enable_checkpointing(model)
    for name, module in model.named_modules():
        if not getattr(module, "gradient_checkpointing", False):
            continue
        if module_of(f"{name}.") not in modules:
            module.gradient_checkpointing = False
        elif keeping is not None and hasattr(module, "_gradient_checkpointing_func"):
            module._gradient_checkpointing_func = partial(_kept, keeping, module._gradient_checkpointing_func)  # noqa: SLF001 - transformers' seam


def in_host_memory() -> save_on_cpu:
    """Return a context that keeps saved tensors in pinned host memory; copies run on the stream of the computation."""
    return save_on_cpu(pin_memory=torch.cuda.is_available())


def _kept(keeping: Keeping, recompute: Callable[..., Any], function: Callable[..., Any], *arguments: Any) -> Any:
    # Only the input of the layer is saved outside of the recomputation, which has hooks of its own.
    with keeping():
        return recompute(function, *arguments)
