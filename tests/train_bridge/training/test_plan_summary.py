from dataclasses import replace

import numpy as np
import pytest

from curate.blend.weights import Weight
from train_bridge.config import OptimConfig
from train_bridge.data.dataset import DatasetSpec
from train_bridge.packing.draw import LongDocuments
from train_bridge.packing.plan import plan_packs
from train_bridge.training.plan_summary import summarise_plan


def test_it_counts_what_the_plan_hands_out(spec: DatasetSpec) -> None:
    corpus = spec.open_corpus()
    packs = list(plan_packs(corpus, spec.plan, num_epochs=1))
    summary = summarise_plan(corpus, spec.plan, OptimConfig(lr=1.0, global_batch=4))
    assert summary.num_steps == len(packs) // 4
    assert summary.num_packs + summary.num_left == len(packs)
    used = packs[: summary.num_packs]
    assert summary.num_tokens == sum(pack.num_tokens for pack in used)
    assert summary.num_samples == sum(len(pack.samples) for pack in used)
    groups = summary.use.groups
    assert sum(group.num_tokens for group in groups) == summary.num_tokens
    assert sum(group.num_samples for group in groups) == summary.num_samples
    assert sum(group.num_images for group in groups) == sum(pack.num_images for pack in used)
    rows = {sample.row for pack in used for sample in pack.samples}
    assert sum(group.num_used for group in groups) == len(rows)
    assert 0.8 < summary.fill <= 1


def test_every_document_is_used_or_has_a_reason(spec: DatasetSpec) -> None:
    blends: list[dict[str, Weight]] = [{}, {"captions": 0.5, "pages": 0.5}]
    for weights in blends:
        corpus = replace(spec, weights=weights).open_corpus()
        for global_batch in (1, 2, 7, 1000):
            use = summarise_plan(corpus, spec.plan, OptimConfig(lr=1.0, global_batch=global_batch)).use
            for group in use.groups:
                assert group.num_documents == group.num_used + sum(group.unused.values())


def test_what_runs_out_first_is_named_and_repeats_use_more_of_the_others(spec: DatasetSpec) -> None:
    optim = OptimConfig(lr=1.0, global_batch=1)
    weights: dict[str, Weight] = {"captions": 0.9, "pages": 0.1}
    once = replace(spec, weights=weights).open_corpus()
    use = summarise_plan(once, spec.plan, optim).use
    assert use.first_out == "captions"
    by_source = {group.source: group for group in use.groups}
    assert by_source["pages"].unused["ran_out"] > 0
    assert by_source["captions"].num_used == by_source["captions"].num_documents
    assert any("ran_out (captions ran out)" in line for line in use.lines())
    often = replace(spec, weights=weights, max_repeats={"captions": 3}).open_corpus()
    more = {group.source: group for group in summarise_plan(often, spec.plan, optim).use.groups}
    assert more["captions"].num_samples == pytest.approx(3 * by_source["captions"].num_samples, abs=1)
    assert more["pages"].num_used > by_source["pages"].num_used


def test_max_steps_goes_over_epochs(spec: DatasetSpec) -> None:
    optim = OptimConfig(lr=1.0, global_batch=4, max_steps=20)
    summary = summarise_plan(spec.open_corpus(), spec.plan, optim)
    assert (summary.num_steps, summary.num_packs, summary.num_left) == (20, 80, 0)
    assert summary.num_samples > 48


def test_fewer_packs_than_a_step(spec: DatasetSpec) -> None:
    summary = summarise_plan(spec.open_corpus(), spec.plan, OptimConfig(lr=1.0, global_batch=1000))
    assert (summary.num_steps, summary.num_tokens, summary.fill) == (0, 0, 0.0)
    assert any("last_step" in line for line in summary.lines())


@pytest.mark.parametrize("policy", ["split", "with_images", "truncate"])
def test_tokens_that_are_cut_off_are_counted(spec: DatasetSpec, policy: LongDocuments) -> None:
    corpus = spec.open_corpus()
    settings = replace(spec.plan, long_documents=policy, capacity=replace(spec.plan.capacity, seq_length=24))
    use = summarise_plan(corpus, settings, OptimConfig(lr=1.0, global_batch=1)).use
    counts = corpus.counts(np.arange(corpus.num_rows))
    whole = int((counts.num_ids + 3 * counts.num_images).sum())
    samples = [sample for pack in plan_packs(corpus, settings, num_epochs=1) for sample in pack.samples]
    num_begins = sum(sample.span.start > 0 for sample in samples)
    num_cut = sum(group.num_tokens_cut for group in use.groups)
    assert sum(group.num_tokens for group in use.groups) + num_cut == whole + num_begins
    assert all(group.num_used == group.num_documents for group in use.groups)
    assert (num_cut > 0) == (policy != "split")
    assert any("tokens cut off" in line for line in use.lines()) == (policy != "split")
