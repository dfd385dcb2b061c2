from collections.abc import Callable

import pytest
import torch
from torch.nn import functional
from transformers import LlavaForConditionalGeneration

from tests.train_bridge.training.spread_ranks import built, full_gradients, model_config, on_ranks, spread
from train_bridge.tokens.encoder import IGNORED
from train_bridge.training.chunked_loss import losses_for_logits
from train_bridge.training.ranks import Ranks

ROWS, LENGTH, VOCAB = 2, 23, 40
BYTES_PER_PLACE = 4 * ROWS * VOCAB


def places() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    ids_bl, targets_bl = torch.randint(4, VOCAB, (2, ROWS, LENGTH))
    targets_bl[0, 5:9] = IGNORED
    return ids_bl, targets_bl


def learn(
    model: LlavaForConditionalGeneration, losses: Callable[[], torch.Tensor]
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    model.zero_grad(set_to_none=True)
    losses_bl = losses()
    torch.autograd.backward(losses_bl.sum())
    return losses_bl.detach(), {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("num_places", [1, 7, LENGTH - 1, LENGTH, 4 * LENGTH])
@pytest.mark.parametrize("ties", [False, True])
def test_chunks_have_the_losses_and_gradients_of_whole_logits(num_places: int, *, ties: bool) -> None:
    model = built(model_config(width=32, num_layers=1, vocab_size=VOCAB, ties=ties))
    ids_bl, targets_bl = places()

    def whole() -> torch.Tensor:
        logits_blv = model(input_ids=ids_bl, use_cache=False).logits
        return functional.cross_entropy(logits_blv.flatten(0, 1), targets_bl.flatten(), reduction="none").view_as(
            targets_bl
        )

    def chunked() -> torch.Tensor:
        with losses_for_logits(model, targets_bl, chunk_bytes=num_places * BYTES_PER_PLACE):
            return torch.as_tensor(model(input_ids=ids_bl, use_cache=False).logits)

    (expected, gradients), (found, own) = learn(model, whole), learn(model, chunked)
    torch.testing.assert_close(found, expected)
    assert (found[0, 5:9] == 0).all()
    assert gradients.keys() == own.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(own[name], gradient)


def test_no_logits_are_larger_than_a_chunk_and_afterwards_logits_are_logits() -> None:
    model = built(model_config(width=32, num_layers=1, vocab_size=VOCAB))
    ids_bl, targets_bl = places()
    sizes = []

    def note(saved: torch.Tensor) -> torch.Tensor:
        sizes.append(saved.numel())
        return saved

    with (
        torch.autograd.graph.saved_tensors_hooks(note, torch.Tensor.detach),
        losses_for_logits(model, targets_bl, chunk_bytes=3 * BYTES_PER_PLACE),
    ):
        model(input_ids=ids_bl, use_cache=False)
    assert sizes
    assert ROWS * LENGTH * VOCAB not in sizes
    assert model(input_ids=ids_bl, use_cache=False).logits.shape == (ROWS, LENGTH, VOCAB)


def compare_chunks(ranks: Ranks) -> list[str]:
    """Return what differs when the loss of a sharded model is taken in chunks."""
    wrong = []
    ids_bl = torch.arange(4, 30)[None] + 2 * ranks.rank
    for dtype, tolerance in ((torch.float32, 1e-5), (torch.bfloat16, 2e-2)):
        for ties in (False, True):
            config = model_config(width=32, num_layers=1, vocab_size=64, ties=ties)
            found = []
            for chunk_bytes in (1 << 20, 3 * 4 * 64):
                model = spread(config, ranks, shape=(1, ranks.world_size), dtype=dtype)
                with losses_for_logits(model, ids_bl, chunk_bytes=chunk_bytes):
                    losses_bl = model(input_ids=ids_bl, use_cache=False).logits
                torch.autograd.backward(losses_bl.sum())
                found.append((losses_bl.detach(), full_gradients(model)))
            (expected, gradients), (losses_bl, own) = found
            if not torch.allclose(losses_bl, expected, rtol=1e-6):
                wrong.append(f"{dtype} loss")
            wrong += [
                f"{dtype} {name}"
                for name, gradient in gradients.items()
                if (gradient - own[name]).abs().max() > tolerance * gradient.abs().max()
            ]
    return wrong


@pytest.mark.slow
def test_chunks_of_a_sharded_model_learn_the_same_in_fp32_and_in_bf16() -> None:
    assert on_ranks(compare_chunks, num_ranks=2) == []
