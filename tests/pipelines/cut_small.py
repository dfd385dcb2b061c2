"""Small folds, buckets and blocks, so that a tiny corpus needs many of each."""

import pytest

from pipelines.decide import decided, decision, propose, settle, standing
from pipelines.run import manifest, order


def cut_small(
    monkeypatch: pytest.MonkeyPatch,
    *,
    fold_partitions: int = 2,
    folds_per_bucket: int = 1,
    block_num_images: int = 3,
    group_partitions: int = 3,
) -> None:
    """Cut the work of a decision into small pieces for the length of a test."""
    for module in (manifest, order, decided, decision, settle, standing):
        assert hasattr(module, "FOLD_PARTITIONS")
        monkeypatch.setattr(module, "FOLD_PARTITIONS", fold_partitions)
    defaults = manifest.cut_folds.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "size", fold_partitions)
    monkeypatch.setattr(manifest, "FOLDS_PER_BUCKET", folds_per_bucket)
    monkeypatch.setattr(propose, "BLOCK_NUM_IMAGES", block_num_images)
    monkeypatch.setattr(decided, "GROUP_PARTITIONS", group_partitions)
