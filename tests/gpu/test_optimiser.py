import torch
from torch import nn

from train_bridge.config import OptimConfig
from train_bridge.training.optimiser import build_optimiser


def test_adamw_is_fused_and_learns_what_it_does_on_the_cpu() -> None:
    torch.manual_seed(0)
    config = OptimConfig(lr=0.01, global_batch=1)
    weights = []
    start = nn.Linear(64, 64).state_dict()
    for device in ("cpu", "cuda"):
        layer = nn.Linear(64, 64)
        layer.load_state_dict(start)
        optimiser = build_optimiser(layer.to(device), config)
        assert bool(optimiser.defaults["fused"]) is (device == "cuda")
        for _ in range(5):
            layer.zero_grad()
            torch.autograd.backward((layer(torch.eye(64, device=device)) - 1).square().sum())
            optimiser.step()
        weights.append(layer.weight.detach().cpu())
    torch.testing.assert_close(*weights)
