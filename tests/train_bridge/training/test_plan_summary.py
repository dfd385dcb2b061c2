from dataclasses import replace

from train_bridge.config import OptimConfig
from train_bridge.data.dataset import DatasetSpec
from train_bridge.packing.plan import plan_packs
from train_bridge.training.plan_summary import count_steps, summarise_plan


def test_it_counts_what_the_plan_hands_out(spec: DatasetSpec) -> None:
    corpus = spec.open_corpus()
    packs = list(plan_packs(corpus, spec.plan, num_epochs=1))
    optim = OptimConfig(lr=1.0, global_batch=4)
    summary = summarise_plan(corpus, spec.plan, optim)
    assert summary.num_steps == count_steps(corpus, spec.plan, optim) == len(packs) // 4
    assert summary.num_packs + summary.num_left == len(packs)
    assert summary.num_tokens == sum(pack.num_tokens for pack in packs[: summary.num_packs])
    assert sum(summary.tokens_by_group.values()) == summary.num_tokens
    assert (
        sum(summary.samples_by_group.values())
        == summary.num_samples
        == sum(len(pack.samples) for pack in packs[: summary.num_packs])
    )
    assert 0.8 < summary.fill <= 1


def test_max_steps_goes_over_epochs(spec: DatasetSpec) -> None:
    optim = OptimConfig(lr=1.0, global_batch=4, max_steps=20)
    summary = summarise_plan(spec.open_corpus(), spec.plan, optim)
    assert (summary.num_steps, summary.num_packs, summary.num_left) == (20, 80, 0)
    assert summary.num_samples > 48


def test_fewer_packs_than_a_step(spec: DatasetSpec) -> None:
    optim = OptimConfig(lr=1.0, global_batch=1000)
    summary = summarise_plan(spec.open_corpus(), spec.plan, optim)
    assert (summary.num_steps, summary.num_tokens, summary.fill) == (0, 0, 0.0)
    assert summary.lines()


def test_lines_name_sources_and_faults(spec: DatasetSpec) -> None:
    summary = summarise_plan(spec.open_corpus(), spec.plan, OptimConfig(lr=1.0, global_batch=2))
    text = "\n".join(replace(summary, faults={"no_text": 3}).lines())
    assert "captions / pair" in text
    assert "3 samples: no_text" in text
