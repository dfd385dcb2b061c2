"""Moments of 8 bits as numbers that a checkpoint can hold: in fp32, whatever ranks and optimiser read them again.

Blocks of 8-bit numbers share a scale, and how a weight is sharded decides where blocks begin. Numbers that were read
from such blocks give the same blocks again, so a run that goes on with as many ranks is as if it had not stopped.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch.distributed.tensor import DTensor
from torch.utils._python_dispatch import is_traceable_wrapper_subclass


def plain_state(state: Any) -> Any:
    """Return an optimiser's state (nested dicts and lists) with its 8-bit tensors in fp32, the others as they are."""
    return _mapped(state, lambda value: _in_fp32(value) if _is_packed(value) else value)


def fill_state(state: Any, plain: Any) -> Any:
    """Return ``plain`` in the form of ``state``, whose own 8-bit tensors take the numbers."""
    if isinstance(state, dict):
        return {name: fill_state(value, plain[name]) for name, value in state.items()}
    if isinstance(state, list):
        return [fill_state(*pair) for pair in zip(state, plain, strict=True)]
    if not _is_packed(state):
        return plain
    with torch.no_grad():
        _pack(_local(state), _local(plain))
    return state


def _pack(packed: Any, plain: torch.Tensor) -> None:
    """Let a tensor of 8-bit numbers take numbers that were unpacked from such a tensor.

    Its largest code means 1 and its smallest -0.993, times the scale, which is the largest magnitude of a block. Where
    that was negative the block's numbers alone would give another scale, so it is told by a number that stands in.
    """
    blocks = plain.reshape(-1, packed.block_size).clone()  # [blocks, numbers of a block]
    (lows, low_places), (highs, high_places) = blocks.min(dim=1, keepdim=True), blocks.max(dim=1, keepdim=True)
    is_negative = (lows < 0) & (-lows >= highs)  # a positive one that is as large is a code of less than 1
    places = torch.where(is_negative, low_places, high_places)
    blocks.scatter_(1, places, torch.where(is_negative, lows / packed.qmap.min(), highs))
    packed.copy_(blocks.view(plain.shape))
    codes = packed.codes.view(blocks.shape)
    smallest = packed.qmap.argmin().to(codes.dtype)
    codes.scatter_(1, places, torch.where(is_negative, smallest, codes.gather(1, places)))


def _mapped(state: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(state, dict):
        return {name: _mapped(value, change) for name, value in state.items()}
    return [_mapped(value, change) for value in state] if isinstance(state, list) else change(state)


def _local(value: torch.Tensor) -> torch.Tensor:
    return value.to_local() if isinstance(value, DTensor) else value


def _is_packed(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and is_traceable_wrapper_subclass(_local(value))


def _in_fp32(value: torch.Tensor) -> torch.Tensor:
    local = _local(value).dequantize()
    if not isinstance(value, DTensor):
        return local
    return DTensor.from_local(
        local, value.device_mesh, value.placements, run_check=False, shape=value.shape, stride=value.stride()
    )
