from contextlib import nullcontext

import pytest
import torch
from transformers import LlavaForConditionalGeneration

from tests.train_bridge.training.spread_ranks import FORM, built, full_gradients, model_config, on_ranks, spread
from train_bridge.data.collate import Batch
from train_bridge.tokens.encoder import IGNORED
from train_bridge.training.idle_towers import running_idle_towers
from train_bridge.training.ranks import Ranks
from train_bridge.training.step import StepTotals, accumulate

CONFIG = model_config(width=32, num_layers=1, vocab_size=40)
IMAGE_ID = 3
IDS_BL = torch.arange(4, 20)[None]


def test_towers_without_an_image_run_and_change_nothing() -> None:
    model = built(CONFIG)
    expected = model(input_ids=IDS_BL, use_cache=False).logits
    with running_idle_towers(model, form=FORM):
        found = model(input_ids=IDS_BL, use_cache=False).logits
    assert torch.equal(found, expected)
    torch.autograd.backward(found.square().sum())
    gradients = {name: p.grad for name, p in model.named_parameters() if "projector" in name or "vision" in name}
    ran = [gradient for gradient in gradients.values() if gradient is not None]
    assert len(ran) > 10
    assert all(bool((gradient == 0).all()) for gradient in ran)


def test_what_is_not_finite_in_an_idle_projector_spoils_no_text() -> None:
    model = built(CONFIG)
    with torch.no_grad():
        model.model.multi_modal_projector.linear_1.bias.fill_(float("inf"))
    with running_idle_towers(model, form=FORM):
        assert model(input_ids=IDS_BL, use_cache=False).logits.isfinite().all()


def test_afterwards_towers_rest_again() -> None:
    model = built(CONFIG)
    with running_idle_towers(model, form=FORM):
        pass
    torch.autograd.backward(model(input_ids=IDS_BL, use_cache=False).logits.sum())
    assert model.model.multi_modal_projector.linear_1.weight.grad is None


def batch_of(ids: list[int], *, num_images: int) -> Batch:
    ids_bl = torch.tensor([ids])
    return Batch(
        input_ids=ids_bl,
        labels=ids_bl.where(ids_bl != IMAGE_ID, IGNORED),
        position_ids=torch.arange(len(ids))[None],
        segment_ids=torch.zeros_like(ids_bl),
        groups=torch.zeros_like(ids_bl),
        pixel_values=torch.full((num_images, 3, 16, 16), 99, dtype=torch.uint8),
        num_tokens=len(ids),
        packs=(0,),
        skipped=(),
        cursor="",
    )


def learn(model: LlavaForConditionalGeneration, batch: Batch) -> int:
    totals = StepTotals(num_groups=1)
    accumulate(model, batch, totals, form=FORM, scale=1.0, context=nullcontext())
    return int(totals.num_images)


def compare_idle(ranks: Ranks) -> list[str]:
    """Return what gradients differ from one rank's where the second of two ranks has no image."""
    batches = [batch_of([IMAGE_ID] * 4 + [*range(5, 14)], num_images=1), batch_of([*range(4, 17)], num_images=0)]
    model, whole = spread(CONFIG, ranks, shape=(1, ranks.world_size)), built(CONFIG)
    images = []
    for _ in range(2):  # so that the second micro-step meets the other ranks too
        images.append(learn(model, batches[ranks.rank]))
        for batch in batches:
            learn(whole, batch)
    expected, found = full_gradients(whole), full_gradients(model)
    wrong = sorted(expected.keys() ^ found.keys()) if any("vision" in name for name in found) else ["vision"]
    wrong += [
        name for name in expected if not torch.allclose(found[name] * ranks.world_size, expected[name], atol=1e-5)
    ]
    return wrong + ["images"] * (images != [1 - ranks.rank] * 2)


@pytest.mark.slow
def test_a_rank_of_text_alone_beside_one_with_images_learns_what_one_rank_does() -> None:
    assert on_ranks(compare_idle, num_ranks=2) == []
