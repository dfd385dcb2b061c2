"""The model over the ranks: sharded with FSDP2 (HSDP with replicas), read by the first rank alone.

With several ranks the others build the model on the meta device, from the class and configuration that the first rank
tells them; what they hold of it is their shard, nothing else at any time. Rank 0 sends weights one by one and forgets
each, so that it never holds more than the model and one weight's shards.

Shapes: R replicas, S shards of each.
"""

from dataclasses import dataclass, field
from typing import cast

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor
from transformers import GenerationConfig, LlavaConfig, LlavaForConditionalGeneration

from curate.contract.errors import CurateError, RecipeError
from train_bridge.model import attention
from train_bridge.model.parts import language_layers, vision_layers
from train_bridge.parallel import ParallelConfig
from train_bridge.training.ranks import Ranks, share

REPLICAS, SHARDS = "replicate", "shard"
Form = tuple[tuple[int, ...], torch.dtype]
"""Shape and type of a tensor."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Blueprint:
    """What a rank needs to build the model without its weights."""

    model_class: type[LlavaForConditionalGeneration]
    config: LlavaConfig
    generation_config: GenerationConfig
    parameters: dict[str, Form] = field(default_factory=dict)
    buffers: dict[str, Form] = field(default_factory=dict)
    """Also those that no folder holds, such as tables of rotations."""

    @classmethod
    def of(cls, model: LlavaForConditionalGeneration) -> "Blueprint":
        """Describe a model."""
        return cls(
            model_class=type(model),
            config=model.config,
            generation_config=model.generation_config,
            parameters=_forms(dict(model.named_parameters())),
            buffers=_forms(dict(model.named_buffers())),
        )

    def build(self) -> LlavaForConditionalGeneration:
        """Return the model on the meta device, in the types of its description.

        Raises:
            CurateError: Its class builds another from its configuration.
        """
        attention.register()  # the configuration says which one the language model runs
        with torch.device("meta"):
            model = self.model_class(self.config).float()
        model.generation_config = self.generation_config
        own = (_forms(dict(model.named_parameters())), _forms(dict(model.named_buffers())))
        for expected, found in zip((self.parameters, self.buffers), own, strict=True):
            differences = sorted(name for name, _ in expected.items() ^ found.items())
            if differences:
                raise CurateError(
                    f"{self.model_class.__name__} cannot be rebuilt from its configuration: {differences[0]} is another"
                )
        return model


def mesh_shape(config: ParallelConfig, *, world_size: int) -> tuple[int, int]:
    """Return R and S.

    Raises:
        RecipeError: They are not the number of ranks.
    """
    num_shards = config.shard or max(1, world_size // config.replicate)
    if config.replicate * num_shards != world_size:
        shard = "all" if config.shard is None else config.shard
        what = f"parallel: replicate {config.replicate} x shard {shard} is not the number of ranks, {world_size}"
        raise RecipeError((f"{what}; leave shard out to share the model among all ranks of a replica",))
    return config.replicate, num_shards


def layers_of(model: nn.Module) -> list[nn.Module]:
    """Return the layers of both towers: the units that are sharded and compiled."""
    return [*vision_layers(model), *language_layers(model)]


def share_model(model: LlavaForConditionalGeneration | None, *, ranks: Ranks) -> LlavaForConditionalGeneration:
    """Return what is to be spread: the model itself where there is one rank, else one like it without weights.

    Args:
        model: Whole, on the first rank; None on the others.
        ranks: The callers.

    Raises:
        CurateError: The model cannot be rebuilt from its configuration.
    """
    if ranks.world_size == 1 and model is not None:
        return model
    (blueprint,) = share([] if model is None else [Blueprint.of(model)])
    return blueprint.build()


def spread_model(
    model: nn.Module, source: nn.Module | None, *, ranks: Ranks, dtype: torch.dtype, shape: tuple[int, int]
) -> None:
    """Move the model to its device and, with several ranks, shard it with FSDP2: each layer, then the rest.

    Weights that learn stay fp32; with bf16 each layer is gathered in bf16, and gradients are summed in fp32.

    Args:
        model: Of ``share_model``.
        source: The weights, on the first rank; it loses them.
        ranks: The callers.
        dtype: Of the computation.
        shape: R and S.

    Raises:
        CurateError: Something of the model is neither weight nor buffer, so nobody could send it.
    """
    if ranks.world_size == 1:
        model.to(ranks.device)
        return
    mesh = _mesh(ranks, shape)
    policy = MixedPrecisionPolicy()
    if dtype != torch.float32:
        policy = MixedPrecisionPolicy(param_dtype=dtype, reduce_dtype=torch.float32)
    for layer in layers_of(model):
        fully_shard(layer, mesh=mesh, mp_policy=policy)
    fully_shard(model, mesh=mesh, mp_policy=policy)
    _materialise(model, ranks.device)
    _send_weights(model, source, mesh=mesh, ranks=ranks)


def set_gradient_sync(model: nn.Module, *, is_last: bool, defers: bool) -> None:
    """Say what the next backward pass sends; a model of one rank sends nothing.

    Gradients are summed over the shards of a replica in every micro-step, for only sums are sharded, and over replicas
    in the last.

    Args:
        model: Sharded or not.
        is_last: Whether it is the last micro-step of a step.
        defers: Sum over shards in the last micro-step too: until then each rank holds whole gradients.
    """
    if not isinstance(model, FSDPModule):
        return
    if defers:
        model.set_requires_gradient_sync(is_last)
    else:
        model.set_requires_all_reduce(is_last)


def _mesh(ranks: Ranks, shape: tuple[int, int]) -> DeviceMesh:
    # Neighbours, which share a machine, are shards of one replica.
    replicas, shards = shape
    if replicas == 1:
        return init_device_mesh(ranks.device.type, (shards,), mesh_dim_names=(SHARDS,))
    return init_device_mesh(ranks.device.type, shape, mesh_dim_names=(REPLICAS, SHARDS))


def _materialise(model: nn.Module, device: torch.device) -> None:
    """Give a sharded model on the meta device storage of its own, with no values yet."""
    first_names: dict[int, str] = {}
    tied: dict[str, str] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        first = first_names.setdefault(id(parameter), name)
        if first != name:
            tied[name] = first
    model.to_empty(device=device)
    for name, first in tied.items():  # ``to_empty`` gives every name a weight of its own
        owner, _, attribute = name.rpartition(".")
        setattr(model.get_submodule(owner), attribute, model.get_parameter(first))
    for name, module in model.named_modules():
        for attribute, value in vars(module).items():
            if isinstance(value, torch.Tensor) and value.is_meta:
                raise CurateError(f"{name}.{attribute}: neither a weight nor a buffer, so ranks cannot share it")


@torch.no_grad()
def _send_weights(model: nn.Module, source: nn.Module | None, *, mesh: DeviceMesh, ranks: Ranks) -> None:
    weights = {} if source is None else dict(source.named_parameters())
    for name, parameter in model.named_parameters():
        weight = weights.get(name)
        whole = None if weight is None else weight.detach().to(parameter.dtype)
        _scatter(whole, cast("DTensor", parameter), mesh=mesh, device=ranks.device)
        if weight is not None:
            weight.data = torch.empty(0)
    buffers = {} if source is None else dict(source.named_buffers())
    for name, buffer in model.named_buffers():
        if name in buffers:
            buffer.copy_(buffers[name])
        dist.broadcast(buffer, src=0)


def _scatter(whole: torch.Tensor | None, sharded: DTensor, *, mesh: DeviceMesh, device: torch.device) -> None:
    """Send the rows of a weight from the first rank to the shards of its replica, and from those to the others."""
    num_shards, num_rows = mesh.size(-1), sharded.shape[0]
    rows_each = -(-num_rows // num_shards)
    local = sharded.to_local()
    if mesh.ndim == 1 or mesh.get_local_rank(REPLICAS) == 0:
        parts = None if whole is None else [_rows(whole, i * rows_each, rows_each, device) for i in range(num_shards)]
        is_even = len(local) == rows_each
        own = local if is_even else torch.empty((rows_each, *sharded.shape[1:]), dtype=sharded.dtype, device=device)
        dist.scatter(own, parts, src=0, group=mesh.get_group(SHARDS))
        if not is_even:
            local.copy_(own[: len(local)])
    if mesh.ndim > 1:
        first = int(mesh.mesh[0, mesh.get_local_rank(SHARDS)])
        dist.broadcast(local, src=first, group=mesh.get_group(REPLICAS))


def _rows(whole: torch.Tensor, start: int, count: int, device: torch.device) -> torch.Tensor:
    """Return rows of a weight; behind its end zeros, for all parts of a scatter are of one size."""
    found = whole[start : start + count].to(device)
    if len(found) == count:
        return found.contiguous()
    padded = torch.zeros((count, *whole.shape[1:]), dtype=whole.dtype, device=device)
    padded[: len(found)] = found
    return padded


def _forms(tensors: dict[str, torch.Tensor] | dict[str, nn.Parameter]) -> dict[str, Form]:
    return {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in tensors.items()}
