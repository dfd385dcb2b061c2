"""Cross-entropies without logits: the output matrix and the loss are taken for a chunk of places at a time.

Logits in fp32 of 4,096 places and 152,000 tokens are 2.5 GB, their gradient as much again. A chunk's are forgotten and
computed again in the backward pass, one more product with the output matrix; what fits in one chunk is computed once.

Shapes: see ``train_bridge.model``.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from train_bridge.tokens.encoder import IGNORED


class HasHead(Protocol):
    """A causal language model, of which mypy knows nothing."""

    def get_output_embeddings(self) -> Any:
        """Return the output matrix."""


CHUNK_BYTES = 256 << 20
"""Of a chunk's logits in fp32."""


@contextmanager
def losses_for_logits(model: HasHead, targets_bk: torch.Tensor, *, chunk_bytes: int = CHUNK_BYTES) -> Iterator[None]:
    """Let forward passes return losses [B, K] as their ``logits``, in fp32; 0 where there is no target.

    The output matrix is used inside the model's own forward pass, in which FSDP has it gathered.

    Args:
        model: Sharded or not; nothing follows its output matrix.
        targets_bk: Tokens of the places that are kept, or ``IGNORED``.
        chunk_bytes: Of a chunk's logits in fp32, at most; a place of all packs is never cut.
    """
    head = model.get_output_embeddings()

    def forward(hidden_bkd: torch.Tensor) -> torch.Tensor:
        rows, vocab = hidden_bkd.shape[0], head.weight.shape[0]
        size = max(1, chunk_bytes // (4 * rows * vocab))
        return _chunked_losses(head, hidden_bkd, targets_bk, size=size)

    head.forward = forward
    try:
        yield
    finally:
        del head.forward


def _chunked_losses(head: nn.Module, hidden_bkd: torch.Tensor, targets_bk: torch.Tensor, *, size: int) -> torch.Tensor:
    parts = list(zip(torch.split(hidden_bkd, size, dim=1), torch.split(targets_bk, size, dim=1), strict=True))
    if len(parts) == 1:
        chunks = [_losses(head, *parts[0])]
    else:  # there is nothing random in it
        chunks = [checkpoint(_losses, head, *part, use_reentrant=False, preserve_rng_state=False) for part in parts]
    return torch.cat(chunks, dim=1)


def _losses(head: nn.Module, hidden_bkd: torch.Tensor, targets_bk: torch.Tensor) -> torch.Tensor:
    logits_bkv = type(head).forward(head, hidden_bkd)
    return functional.cross_entropy(
        logits_bkv.float().flatten(0, 1), targets_bk.flatten(), reduction="none", ignore_index=IGNORED
    ).view_as(targets_bk)
