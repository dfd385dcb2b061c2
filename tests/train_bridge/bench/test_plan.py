import numpy as np

from train_bridge.bench.plan import SETTINGS, MadeUpCounts
from train_bridge.packing.plan import plan_packs


def test_a_blend_of_lengths_as_in_pre_training_fills_its_packs() -> None:
    mix = MadeUpCounts(60_000)
    packs = list(plan_packs(mix, SETTINGS, num_epochs=1))
    tokens = np.array([np.bincount(p.table["group"], weights=p.table["num_tokens"], minlength=3) for p in packs])
    whole = tokens[:-200]  # where the corpus runs out, nothing is left to choose from
    assert whole.sum() / len(whole) / 4096 >= 0.995
    sums = np.concatenate([np.zeros((1, 3)), np.cumsum(whole, axis=0)])
    stretches = sums[200:] - sums[:-200]
    shares = stretches / stretches.sum(axis=1, keepdims=True)
    assert np.abs(shares - mix.shares).max() <= 0.01
    assert max(pack.cursor.window - s.first_window for pack in packs for s in pack.samples) <= SETTINGS.age_limit
    assert max(len(pack.cursor.to_json()) for pack in packs[::200]) < 4096


def test_lengths_are_as_said() -> None:
    mix = MadeUpCounts(20_000)
    counts = mix.counts(np.arange(20_000))
    num_tokens = counts.num_ids + 575 * counts.num_images
    assert 1250 < num_tokens.mean() < 1400
    assert np.allclose(np.bincount(counts.group) / 20_000, [0.5, 0.3, 0.2], atol=0.02)
    longest = int(num_tokens.argmax())
    assert mix.document(longest).num_ids == counts.num_ids[longest]
    assert len(mix.document(longest).image_at) == counts.num_images[longest]
