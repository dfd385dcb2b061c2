import dataclasses

import pytest
import torch
from torch import nn
from transformers import AttentionInterface

from curate.contract.errors import CurateError, RecipeError
from tests.train_bridge.training.spread_ranks import (
    Held,
    built,
    compare_sums,
    compare_values,
    measure_memory,
    model_config,
    on_ranks,
)
from train_bridge.model.attention import set_attention
from train_bridge.parallel import ParallelConfig
from train_bridge.training.ranks import joined_ranks
from train_bridge.training.spread import Blueprint, mesh_shape, set_gradient_sync, share_model, spread_model

SMALL = model_config(width=32, num_layers=1, vocab_size=40)


@pytest.mark.parametrize(
    ("settings", "world_size", "shape"),
    [({}, 8, (1, 8)), ({}, 1, (1, 1)), ({"replicate": 2}, 8, (2, 4)), ({"shard": 2, "replicate": 2}, 4, (2, 2))],
)
def test_by_default_all_ranks_share_one_model(
    settings: dict[str, int], world_size: int, shape: tuple[int, int]
) -> None:
    assert mesh_shape(ParallelConfig.model_validate(settings), world_size=world_size) == shape


@pytest.mark.parametrize(
    ("settings", "world_size", "fault"),
    [
        ({"shard": 2, "replicate": 2}, 8, "replicate 2 x shard 2 is not the number of ranks, 8"),
        ({"shard": 1}, 2, "replicate 1 x shard 1 is not the number of ranks, 2"),
        ({"replicate": 3}, 8, "replicate 3 x shard all is not the number of ranks, 8"),
        ({"replicate": 3}, 2, "replicate 3 x shard all is not the number of ranks, 2"),
    ],
)
def test_a_product_that_is_not_the_number_of_ranks_is_refused(
    settings: dict[str, int], world_size: int, fault: str
) -> None:
    with pytest.raises(RecipeError, match=fault):
        mesh_shape(ParallelConfig.model_validate(settings), world_size=world_size)


def test_one_rank_keeps_the_model_that_it_has_read() -> None:
    model = built(SMALL)
    with joined_ranks() as ranks:
        assert share_model(model, ranks=ranks) is model
        spread_model(model, model, ranks=ranks, dtype=torch.float32, shape=(1, 1))
    assert {type(parameter) for parameter in model.parameters()} == {nn.Parameter}
    set_gradient_sync(model, is_last=False, defers=True)


def test_a_model_is_built_anew_without_weights() -> None:
    model = built(SMALL)
    model.generation_config.eos_token_id = 7
    found = Blueprint.of(model).build()
    assert {parameter.device.type for parameter in found.parameters()} == {"meta"}
    assert [name for name, _ in found.named_parameters()] == [name for name, _ in model.named_parameters()]
    assert found.generation_config.eos_token_id == 7


def test_a_process_that_has_set_no_attention_builds_a_model_that_has_one() -> None:
    model = built(SMALL)
    set_attention(model, "segments")
    blueprint = Blueprint.of(model)
    AttentionInterface._global_mapping.pop("segments")  # as where another process has set it
    assert blueprint.build().config.text_config._attn_implementation == "segments"


def test_a_model_that_its_configuration_does_not_describe_is_refused() -> None:
    blueprint = Blueprint.of(built(SMALL))
    name = "lm_head.weight"
    other = dataclasses.replace(blueprint, parameters=blueprint.parameters | {name: ((41, 32), torch.float32)})
    with pytest.raises(CurateError, match=r"cannot be rebuilt from its configuration: lm_head\.weight is another"):
        other.build()


@pytest.mark.slow
def test_every_rank_has_the_values_that_the_first_has_read() -> None:
    assert on_ranks(compare_values, num_ranks=2) == []


@pytest.mark.slow
def test_a_rank_holds_its_shard_and_no_more_while_it_starts() -> None:
    found = on_ranks(measure_memory, num_ranks=2)
    assert isinstance(found, list)
    first, second = found
    assert isinstance(second, Held)
    assert second.whole_bytes > 200e6
    assert second.shard_bytes < 0.51 * second.whole_bytes
    assert second.grown_bytes < 1.2 * second.shard_bytes
    assert first.grown_bytes < 1.25 * first.whole_bytes  # forgotten weight by weight, as the others have it


@pytest.mark.slow
def test_replicas_sum_their_gradients_once_a_step_and_shards_when_they_are_told() -> None:
    assert on_ranks(compare_sums, num_ranks=2) == {
        "shards": {"reduce_scatter": 9, "all_reduce": 0},
        "shards, deferred": {"reduce_scatter": 3, "all_reduce": 0},
        "replicas": {"reduce_scatter": 0, "all_reduce": 3},
        "replicas, deferred": {"reduce_scatter": 0, "all_reduce": 3},
    }
