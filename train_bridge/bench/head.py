"""Measures the loss behind a large vocabulary: in chunks, and with logits that are whole.

Shapes: see ``train_bridge.model``.
"""

import time

import torch
from torch import nn

from train_bridge.training.chunked_loss import CHUNK_BYTES, losses_for_logits

NUM_TURNS = 5
"""Of which the fastest counts."""


class HeadAlone(nn.Module):
    """A model that is its output matrix, as ``losses_for_logits`` takes it."""

    def __init__(self, *, width: int, vocab_size: int) -> None:
        super().__init__()
        self.lm_head = nn.Linear(width, vocab_size, bias=False)

    def get_output_embeddings(self) -> nn.Module:
        """Return the output matrix."""
        return self.lm_head

    def forward(self, hidden_bkd: torch.Tensor) -> torch.Tensor:
        """Return what the output matrix says."""
        return torch.as_tensor(self.lm_head(hidden_bkd))


def measure_head(
    *,
    device: torch.device,
    num_places: int = 4096,
    width: int = 3584,
    vocab_size: int = 152_064,
    chunk_bytes: int = CHUNK_BYTES,
) -> dict[str, dict[str, float]]:
    """Return ``seconds`` of forward and backward pass in bf16, ``memory_bytes`` that they took, and ``loss``.

    Args:
        device: Where memory is counted if it is CUDA.
        num_places: K, of one pack.
        width: D; with V that of Qwen2-7B by default.
        vocab_size: V.
        chunk_bytes: Of a chunk's logits in fp32.

    Returns:
        Of ``chunked`` and ``whole``.
    """
    torch.manual_seed(0)
    model = HeadAlone(width=width, vocab_size=vocab_size).to(device, torch.bfloat16)
    hidden_bkd = torch.randn(1, num_places, width, device=device, dtype=torch.bfloat16, requires_grad=True)
    targets_bk = torch.randint(vocab_size, (1, num_places), device=device)
    sizes = {"chunked": chunk_bytes, "whole": 4 * num_places * vocab_size}
    return {name: _measure(model, hidden_bkd, targets_bk, chunk_bytes=size) for name, size in sizes.items()}


def _measure(
    model: HeadAlone, hidden_bkd: torch.Tensor, targets_bk: torch.Tensor, *, chunk_bytes: int
) -> dict[str, float]:
    is_cuda = hidden_bkd.is_cuda
    times_s = []
    before = torch.cuda.memory_allocated() if is_cuda else 0
    if is_cuda:
        torch.cuda.reset_peak_memory_stats()
    for _ in range(NUM_TURNS):
        model.zero_grad(set_to_none=True)
        hidden_bkd.grad = None
        start_s = time.perf_counter()
        with losses_for_logits(model, targets_bk, chunk_bytes=chunk_bytes):
            loss = model(hidden_bkd).mean()
        torch.autograd.backward(loss)
        value = float(loss.detach())
        if is_cuda:
            torch.cuda.synchronize()
        times_s.append(time.perf_counter() - start_s)
    peak = torch.cuda.max_memory_allocated() if is_cuda else 0
    return {"seconds": min(times_s), "memory_bytes": float(peak - before), "loss": value}
