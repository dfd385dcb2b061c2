from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional
from transformers import LlavaForConditionalGeneration, LlavaProcessor

from tests.train_bridge.conftest import TOKENS_PER_IMAGE, stage_config
from train_bridge.data.collate import PADDING, Batch, CollateSettings, collate
from train_bridge.data.dataset import DatasetSpec
from train_bridge.data.samples import Content, LoadedSample, SampleReader
from train_bridge.model.attention import set_attention
from train_bridge.model.image_modes import image_form
from train_bridge.model.images import normalise
from train_bridge.model.llava import build_model, set_trainable
from train_bridge.model.mask import BLOCK, Attention, packed_mask
from train_bridge.model_config import Module
from train_bridge.packing.cursor import Cursor
from train_bridge.packing.draw import SAMPLE
from train_bridge.packing.plan import Pack, plan_packs
from train_bridge.tokens.encoder import IGNORED, TextEncoder
from train_bridge.training.step import StepTotals, accumulate, checksums, pad_to_blocks, token_losses, update


@pytest.fixture
def model(shard_folder: str, processor: LlavaProcessor, tmp_path: Path) -> LlavaForConditionalGeneration:
    model = build_model(stage_config(shard_folder, tmp_path), processor=processor)
    set_trainable(model, {Module.PROJECTOR, Module.LLM})
    return model


@pytest.fixture
def loaded(spec: DatasetSpec, processor: LlavaProcessor, encoder: TextEncoder) -> list[LoadedSample]:
    """One pair, one text, one document with two images."""
    corpus = spec.open_corpus()
    form = image_form(processor.image_processor)
    with SampleReader(corpus, encoder=encoder, form=form, capacity=spec.plan.capacity) as reader:
        samples = [sample for pack in plan_packs(corpus, spec.plan, num_epochs=1) for sample in pack.samples]
        found = [reader.read(next(sample for sample in samples if sample.row == row)) for row in range(3)]
    assert [len(sample.pixels) for sample in found if isinstance(sample, LoadedSample)] == [1, 0, 2]
    return [sample for sample in found if isinstance(sample, LoadedSample)]


def batch_of(processor: LlavaProcessor, *contents: Content, always_image: bool = False) -> Batch:
    settings = CollateSettings(
        form=image_form(processor.image_processor),
        image_token_id=processor.image_token_id,
        pad_id=processor.tokenizer.pad_token_id,
        tokens_per_image=TOKENS_PER_IMAGE,
        always_image=always_image,
    )
    table = np.empty(0, dtype=SAMPLE)
    packs = [Pack(number=i, table=table, num_tokens=0, num_images=0, window=Cursor()) for i in range(len(contents))]
    return collate(list(zip(packs, contents, strict=True)), settings=settings)


def logits_of(
    model: LlavaForConditionalGeneration, batch: Batch, processor: LlavaProcessor, *, attention: Attention = "mask"
) -> torch.Tensor:
    pixels = (
        normalise(batch.pixel_values, form=image_form(processor.image_processor)) if len(batch.pixel_values) else None
    )
    with torch.no_grad():
        return torch.as_tensor(
            model(
                input_ids=batch.input_ids,
                pixel_values=pixels,
                attention_mask=packed_mask(batch.segment_ids, attention=attention),
                position_ids=batch.position_ids,
            ).logits
        )


@pytest.mark.parametrize("attention", ["mask", "segments"])
@pytest.mark.parametrize("always_image", [False, True])
def test_packed_samples_do_not_see_each_other(
    model: LlavaForConditionalGeneration,
    loaded: list[LoadedSample],
    processor: LlavaProcessor,
    attention: Attention,
    *,
    always_image: bool,
) -> None:
    packed = batch_of(processor, [loaded[1], *loaded], [loaded[1]], always_image=always_image)
    set_attention(model, attention)
    logits = logits_of(model, packed, processor, attention=attention)
    set_attention(model, "mask")
    start = 0
    for sample in (loaded[1], *loaded):
        stop = start + len(sample.ids)
        pixels = [torch.from_numpy(image) for image in sample.pixels]
        form = image_form(processor.image_processor)
        alone = model(
            input_ids=torch.from_numpy(sample.ids).long()[None],
            pixel_values=normalise(torch.stack(pixels), form=form) if pixels else None,
        ).logits[0]
        assert (logits[0, start:stop] - alone).abs().max() < 1e-5
        start = stop


def test_losses_are_cross_entropies_of_the_next_token(
    model: LlavaForConditionalGeneration, loaded: list[LoadedSample], processor: LlavaProcessor
) -> None:
    batch = batch_of(processor, [*loaded])
    form = image_form(processor.image_processor)
    losses, has_label, groups = token_losses(model, batch, form=form)
    wanted = functional.cross_entropy(logits_of(model, batch, processor)[0, :-1], batch.labels[0, 1:], reduction="none")
    labelled = batch.labels[0, 1:] != IGNORED
    assert torch.allclose(losses[has_label], wanted[labelled], atol=1e-5)
    assert torch.equal(groups[has_label], batch.groups[0, 1:][labelled])
    assert int(has_label.sum()) == sum(int((sample.labels != IGNORED).sum()) for sample in loaded)


def gradients(model: LlavaForConditionalGeneration) -> dict[str, torch.Tensor]:
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def run(
    model: LlavaForConditionalGeneration, batches: list[Batch], processor: LlavaProcessor
) -> tuple[StepTotals, dict[str, torch.Tensor]]:
    model.zero_grad(set_to_none=True)
    totals = StepTotals(num_groups=3)
    form = image_form(processor.image_processor)
    for batch in batches:
        accumulate(model, batch, totals, form=form, scale=1 / 64, context=nullcontext())
    return totals, {name: grad / (totals.num_labels / 64) for name, grad in gradients(model).items()}


def test_accumulating_is_one_large_batch(
    model: LlavaForConditionalGeneration, loaded: list[LoadedSample], processor: LlavaProcessor
) -> None:
    together, wanted = run(model, [batch_of(processor, [loaded[0], loaded[1]], [loaded[2]])], processor)
    parts = [batch_of(processor, [sample]) for sample in loaded]
    apart, found = run(model, parts, processor)
    assert apart.loss == pytest.approx(together.loss, rel=1e-6)
    assert (apart.num_labels, apart.num_tokens) == (together.num_labels, together.num_tokens)
    assert torch.allclose(apart.group_loss, together.group_loss)
    assert float(apart.group_loss.sum()) == pytest.approx(apart.loss)
    assert wanted.keys() == found.keys()
    assert all(torch.allclose(wanted[name], found[name], atol=1e-5) for name in wanted)


def test_a_batch_without_labels_still_runs_backward(
    model: LlavaForConditionalGeneration, loaded: list[LoadedSample], processor: LlavaProcessor
) -> None:
    silent = replace(loaded[0], labels=loaded[0].labels * 0 + IGNORED)
    model.zero_grad(set_to_none=True)
    totals = StepTotals(num_groups=3)
    form = image_form(processor.image_processor)
    accumulate(model, batch_of(processor, [silent]), totals, form=form, scale=1.0, context=nullcontext())
    assert (totals.loss, totals.num_labels) == (0.0, 0.0)
    assert gradients(model)
    assert all(grad.abs().max() == 0 for grad in gradients(model).values())


def test_totals_are_reduced_together() -> None:
    totals = StepTotals(num_groups=2, loss=3.0, num_labels=4.0, wait_s=0.5)
    totals.group_loss[1] = 3.0
    totals.reduce(lambda values: values * 2)
    assert (totals.loss, totals.num_labels, totals.wait_s, totals.stop) == (6.0, 8.0, 1.0, 0.0)
    assert totals.group_loss.tolist() == [0.0, 6.0]


def test_update_divides_clips_and_steps() -> None:
    layer = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.zeros_(layer.weight)
    optimiser = torch.optim.SGD(layer.parameters(), lr=1.0)
    layer.weight.grad = torch.tensor([[8.0]])
    assert update(layer, optimiser, divisor=2.0, clip_norm=1.0) == 4.0
    assert layer.weight.item() == pytest.approx(-1.0)
    assert layer.weight.grad is None


def test_what_had_no_part_in_a_step_has_a_gradient_of_zero() -> None:
    used, idle = (torch.nn.Linear(1, 1, bias=False) for _ in range(2))
    model = torch.nn.ModuleList([used, idle])
    optimiser = torch.optim.AdamW(model.parameters(), lr=0.1)
    for layer in (used, idle):
        layer.weight.grad = torch.ones(1, 1)
    update(model, optimiser, divisor=1.0, clip_norm=None)
    before = idle.weight.item()
    used.weight.grad = torch.ones(1, 1)
    assert update(model, optimiser, divisor=1.0, clip_norm=None) == 1.0
    assert idle.weight.item() < before  # by its momentum
    idle.requires_grad_(requires_grad=False)
    frozen = idle.weight.item()
    used.weight.grad = torch.ones(1, 1)
    update(model, optimiser, divisor=1.0, clip_norm=None)
    assert (idle.weight.item(), idle.weight.grad) == (frozen, None)


def test_update_refuses_a_gradient_that_is_not_finite() -> None:
    layer = torch.nn.Linear(1, 1, bias=False)
    before = layer.weight.clone()
    layer.weight.grad = torch.tensor([[float("nan")]])
    norm = update(layer, torch.optim.SGD(layer.parameters(), lr=1.0), divisor=1.0, clip_norm=None)
    assert norm != norm  # noqa: PLR0124 - a NaN
    assert torch.equal(layer.weight, before)


def test_a_loss_that_is_not_finite_names_its_pack(
    model: LlavaForConditionalGeneration, loaded: list[LoadedSample], processor: LlavaProcessor
) -> None:
    with torch.no_grad():
        model.model.multi_modal_projector.linear_1.bias.fill_(float("nan"))  # only images are spoiled
    batch = batch_of(processor, [loaded[1]], [loaded[0]], [loaded[1]])
    totals, _ = run(model, [batch], processor)
    assert totals.bad_packs == [1]
    assert totals.loss != totals.loss


def test_pairs_and_images_are_counted(
    model: LlavaForConditionalGeneration, loaded: list[LoadedSample], processor: LlavaProcessor
) -> None:
    totals, _ = run(model, [batch_of(processor, [*loaded], [loaded[1]])], processor)
    lengths = [len(sample.ids) for sample in (*loaded, loaded[1])]
    assert totals.num_pairs == sum(length * (length + 1) / 2 for length in lengths)
    assert totals.num_images == 3


def test_whole_blocks_have_the_same_losses(
    model: LlavaForConditionalGeneration, loaded: list[LoadedSample], processor: LlavaProcessor
) -> None:
    batch = batch_of(processor, [*loaded])
    padded = pad_to_blocks(batch)
    assert padded.input_ids.shape[1] % BLOCK == 0
    assert set(padded.segment_ids[0, batch.input_ids.shape[1] :].tolist()) == {PADDING}
    form = image_form(processor.image_processor)
    plain, wide = (token_losses(model, each, form=form)[0] for each in (batch, padded))
    assert torch.allclose(plain, wide, atol=1e-5)
    assert pad_to_blocks(padded).input_ids.shape == padded.input_ids.shape


def test_checksums_know_packs_by_what_is_learned(loaded: list[LoadedSample], processor: LlavaProcessor) -> None:
    one, dummy = (batch_of(processor, [loaded[1]], always_image=always) for always in (False, True))
    assert checksums(one) == checksums(dummy)
    (_, first), (number, other) = checksums(batch_of(processor, [loaded[1]], [loaded[0]]))
    assert (first, number) == (checksums(one)[0][1], 1)
    assert first != other


def test_a_batch_of_text_alone_teaches_a_projector_nothing_and_is_no_error(
    model: LlavaForConditionalGeneration, processor: LlavaProcessor, loaded: list[LoadedSample]
) -> None:
    set_trainable(model, {Module.PROJECTOR})
    totals = StepTotals(num_groups=9)
    accumulate(
        model,
        batch_of(processor, [loaded[1]]),
        totals,
        form=image_form(processor.image_processor),
        scale=1.0,
        context=nullcontext(),
    )
    assert totals.loss > 0
    learning = [weight for weight in model.parameters() if weight.requires_grad]
    before = [weight.detach().clone() for weight in learning]
    optimiser = torch.optim.SGD(learning, lr=1.0)
    assert update(model, optimiser, divisor=1.0, clip_norm=1.0) == 0.0
    assert all(torch.equal(weight, old) for weight, old in zip(learning, before, strict=True))
