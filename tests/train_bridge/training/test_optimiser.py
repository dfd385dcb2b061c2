import pytest
import torch
from torch import nn

from curate.contract.errors import RecipeError
from train_bridge.config import OptimConfig
from train_bridge.model_config import Module
from train_bridge.training.optimiser import build_optimiser, check_optimiser, learning_rate, set_learning_rate

CONFIG = OptimConfig(lr=2.0, global_batch=1, warmup_ratio=0.1, weight_decay=0.1)


def test_the_rate_warms_up_and_falls_to_zero() -> None:
    rates = [learning_rate(step, num_steps=100, config=CONFIG) for step in range(100)]
    assert rates[0] == pytest.approx(0.2)
    assert rates[9] == rates[10] == max(rates) == 2.0
    assert rates[55] == pytest.approx(1.0)
    assert 0 < rates[99] < 0.01
    assert rates[10:] == sorted(rates[10:], reverse=True)


def rates_of(**options: object) -> list[float]:
    config = OptimConfig.model_validate({"lr": 2.0, "global_batch": 1, "warmup_steps": 10} | options)
    return [learning_rate(step, num_steps=100, config=config) for step in range(100)]


def test_schedules_fall_to_their_floor_in_their_own_way() -> None:
    constant, linear = rates_of(schedule="constant"), rates_of(schedule="linear", min_lr_ratio=0.1)
    assert set(constant[10:]) == {2.0}
    assert linear[55] == pytest.approx(1.1)
    assert linear[99] == pytest.approx(0.2, abs=0.03)
    wsd = rates_of(schedule="wsd", decay_ratio=0.2, min_lr_ratio=0.5)
    assert set(wsd[10:81]) == {2.0}
    assert wsd[90] == pytest.approx(1.5)
    assert wsd[81:] == sorted(wsd[81:], reverse=True)
    assert min(rates_of(min_lr_ratio=0.25)[10:]) >= 0.5
    assert all(rates[:10] == [pytest.approx(0.2 * n) for n in range(1, 11)] for rates in (constant, linear, wsd))


@pytest.mark.parametrize("ratio", [0.0, 1.0])
def test_a_run_of_one_step_has_a_rate(ratio: float) -> None:
    config = OptimConfig(lr=2.0, global_batch=1, warmup_ratio=ratio)
    assert learning_rate(0, num_steps=1, config=config) == 2.0


def test_only_matrices_decay_and_only_what_learns_is_there() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(3), nn.Linear(3, 1))
    model[2].requires_grad_(requires_grad=False)
    groups = build_optimiser(model, CONFIG).param_groups
    assert [(len(group["params"]), group["weight_decay"]) for group in groups] == [(1, 0.1), (3, 0.0)]


def test_set_learning_rate() -> None:
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    set_learning_rate(optimiser, 0.5)
    assert optimiser.param_groups[0]["lr"] == 0.5


def test_a_rate_that_is_a_tensor_stays_the_one_that_a_compiled_step_knows() -> None:
    rate = torch.tensor(1.0)
    optimiser = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=rate, foreach=False, capturable=True)
    set_learning_rate(optimiser, 0.5)
    assert optimiser.param_groups[0]["lr"] is rate
    assert rate.item() == 0.5


def test_on_the_cpu_adamw_is_not_fused() -> None:
    assert build_optimiser(nn.Linear(2, 2), CONFIG).defaults["fused"] is None


def test_an_optimiser_that_is_not_installed_is_refused_with_its_extra() -> None:
    eight_bit = CONFIG.model_copy(update={"optimiser": "adamw_8bit"})
    check_optimiser(CONFIG, find=lambda _name: None)
    check_optimiser(eight_bit, find=lambda name: name)
    with pytest.raises(RecipeError, match=r"optim\.optimiser: adamw_8bit needs torchao; pip install .*\[adam8bit\]"):
        check_optimiser(eight_bit, find=lambda _name: None)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the library
def test_moments_of_8_bits_learn_nearly_the_same() -> None:
    pytest.importorskip("torchao")
    weights = []
    for optimiser in ("adamw", "adamw_8bit"):
        torch.manual_seed(0)
        layer = nn.Linear(64, 64)
        config = OptimConfig.model_validate({"lr": 0.01, "global_batch": 1, "optimiser": optimiser})
        built = build_optimiser(layer, config)
        for _ in range(5):
            layer.zero_grad()
            torch.autograd.backward((layer(torch.eye(64)) - 1).square().sum())
            set_learning_rate(built, 0.01)
            built.step()
        weights.append(layer.weight.detach().clone())
    one, other = weights
    assert 0 < (one - other).abs().max() < 0.01
    assert sum(tensor.dtype == torch.uint8 for tensor in codes_of(built)) == 2


def codes_of(optimiser: torch.optim.Optimizer) -> list[torch.Tensor]:
    values = [value for state in optimiser.state.values() for value in state.values()]
    return [value.codes for value in values if hasattr(value, "codes")]


class Towers(nn.Module):
    """Names as those of the real model."""

    def __init__(self) -> None:
        super().__init__()
        self.model = nn.ModuleDict({"vision_tower": nn.Linear(2, 2), "multi_modal_projector": nn.Linear(2, 2)})
        self.lm_head = nn.Linear(2, 2, bias=False)


def test_modules_have_rates_of_their_own() -> None:
    config = CONFIG.model_copy(update={"module_lr": {Module.VISION: 0.5}})
    optimiser = build_optimiser(Towers(), config)
    groups = [(len(g["params"]), g["weight_decay"], g["lr_share"]) for g in optimiser.param_groups]
    assert groups == [(2, 0.1, 1.0), (1, 0.0, 1.0), (1, 0.1, 0.25), (1, 0.0, 0.25)]
    set_learning_rate(optimiser, 1.0)
    assert [group["lr"] for group in optimiser.param_groups] == [1.0, 1.0, 0.25, 0.25]


def test_a_rate_for_what_does_not_learn_is_a_mistake() -> None:
    towers = Towers()
    towers.model["vision_tower"].requires_grad_(requires_grad=False)
    config = CONFIG.model_copy(update={"module_lr": {Module.VISION: 0.5}})
    with pytest.raises(RecipeError, match="nothing learns in vision"):
        build_optimiser(towers, config)
