"""Processes of a run: their group, their devices, and what they tell each other."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import nn
from torch._C._distributed_c10d import HashStore, Store
from torch.distributed.fsdp import FSDPModule

from curate.contract.errors import CurateError
from train_bridge.failures import LIBRARY_ERRORS, one_line

T = TypeVar("T")
DEFAULT_TIMEOUT_S = 1800
LONG_WAIT = timedelta(days=30)
"""For what a rank does alone before the first step."""
PEER_LOSS_MARKS = ("gloo", "nccl", "connection closed", "connection reset", "broken pipe")


@dataclass(frozen=True, kw_only=True, slots=True)
class Ranks:
    """This process among its peers."""

    rank: int
    world_size: int
    local_rank: int
    """Among the processes of this machine."""
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Whether this process writes what there is one of."""
        return self.rank == 0


@contextmanager
def joined_ranks(*, timeout_s: int = DEFAULT_TIMEOUT_S) -> Iterator[Ranks]:
    """Join the group that ``torchrun`` has set up, or form a group of one; leave it at the end.

    Args:
        timeout_s: How long a rank waits for the others. A rank that has ended is noticed at once; this is for one that
            hangs.
    """
    has_cuda = torch.cuda.is_available()
    backend = "cpu:gloo,cuda:nccl" if has_cuda else "gloo"
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    device = torch.device("cuda", local_rank) if has_cuda else torch.device("cpu")
    if has_cuda:
        torch.cuda.set_device(device)
    timeout = timedelta(seconds=timeout_s)
    if "RANK" in os.environ:
        dist.init_process_group(backend, timeout=timeout)
    else:
        dist.init_process_group(backend, store=HashStore(), rank=0, world_size=1, timeout=timeout)
    try:
        yield Ranks(rank=dist.get_rank(), world_size=dist.get_world_size(), local_rank=local_rank, device=device)
    finally:
        dist.destroy_process_group()


def compute_dtype(precision: str, *, device: torch.device) -> torch.dtype:
    """Resolve ``run.precision``."""
    if precision == "auto":
        precision = "bf16" if device.type == "cuda" else "fp32"
    return torch.bfloat16 if precision == "bf16" else torch.float32


@contextmanager
def whole_weights(model: nn.Module) -> Iterator[None]:
    """Let every rank hold all weights of a model, in the dtype of the computation, so that each may go its own way."""
    sharded = [module for module in model.modules() if isinstance(module, FSDPModule)]
    for module in sharded:
        module.set_reshard_after_forward(False, recurse=False)
        module.unshard()
    try:
        yield
    finally:
        for module in sharded:
            module.set_reshard_after_forward(module is not model, recurse=False)
            module.reshard()


def autocast(*, ranks: Ranks, dtype: torch.dtype) -> AbstractContextManager[object]:
    """Compute in ``dtype``; sharded models do so by themselves."""
    if dtype == torch.float32 or ranks.world_size > 1:
        return nullcontext()
    return torch.autocast(ranks.device.type, dtype=dtype)


def sum_over_ranks(values: torch.Tensor) -> torch.Tensor:
    """Return the sum of ``values`` over all ranks."""
    dist.all_reduce(values)
    return values


def share(value: T) -> T:
    """Return the first rank's value on every rank, whatever the others give."""
    box = [value]
    dist.broadcast_object_list(box, src=0)
    return box[0]


def gather(value: T) -> list[T]:
    """Return every rank's value, by rank."""
    values = [value] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return values


@contextmanager
def failing_together(*, may_take_long: bool = False) -> Iterator[None]:
    """Raise on every rank what a block raised on any, so that none waits for one that has failed.

    The block must not talk to other ranks itself, and every rank must enter it.

    Args:
        may_take_long: It takes hours on some, to count the tokens of a corpus or to read a model; the others wait
            longer than collectives do.

    Raises:
        CurateError: Of the lowest rank that has one; what libraries raise becomes one.
    """
    own: Exception | None = None
    fault: CurateError | None = None
    try:
        yield
    except CurateError as error:
        own = fault = error
    except Exception as error:  # noqa: BLE001 - whatever it is, the others must not wait for this rank
        fault = CurateError(one_line(error))
        fault.__cause__ = error
        own = fault if isinstance(error, LIBRARY_ERRORS) else error
    if may_take_long:
        _wait_for_all()
    faults = [other for other in gather(fault) if other is not None]
    if faults:
        raise own or faults[0]


def job_store() -> Store:
    """Return what all ranks of the group share beside collectives."""
    store: Store = dist.distributed_c10d._get_default_store()  # noqa: SLF001 - torch has no other way
    return store


def _wait_for_all() -> None:
    """Wait for all ranks longer than collectives do, which take one that is busy for one that hangs."""
    store = job_store()
    # Nobody comes to a meeting before the one before is over, so the number of those who came says which it is.
    meeting, missing = divmod(-store.add("came", 1), dist.get_world_size())
    if not missing:
        store.set(f"meeting/{meeting}", "")
    store.wait([f"meeting/{meeting}"], LONG_WAIT)


def is_peer_loss(error: RuntimeError) -> bool:
    """Say whether an error means that another rank has ended or hangs; gloo raises a bare ``RuntimeError`` then."""
    text = str(error).lower()
    return isinstance(error, dist.DistError) or any(mark in text for mark in PEER_LOSS_MARKS)
