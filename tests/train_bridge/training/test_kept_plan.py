from dataclasses import replace
from pathlib import Path

import pytest

from train_bridge.config import OptimConfig
from train_bridge.data.dataset import DatasetSpec
from train_bridge.training import kept_plan
from train_bridge.training.kept_plan import find_plan

OPTIM = OptimConfig(lr=1.0, global_batch=4)


def test_a_plan_is_walked_through_once(spec: DatasetSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = replace(spec, num_epochs=1)
    first = find_plan(spec.open_corpus(), spec, OPTIM, cache_dir=str(tmp_path))
    monkeypatch.setattr(kept_plan, "summarise_plan", None)
    assert find_plan(spec.open_corpus(), spec, OPTIM.model_copy(update={"lr": 2.0}), cache_dir=str(tmp_path)) == first


@pytest.mark.parametrize(
    "changed",
    [
        {"weights": {"captions": 1.0, "pages": {"0": 1.0, "10000": 2.0}}},
        {"sources": frozenset({"pages"})},
        {"validation_share": 0.3},
        {"optim": OPTIM.model_copy(update={"global_batch": 2})},
        {"optim": OPTIM.model_copy(update={"epochs": 2})},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_what_decides_a_plan_makes_another(spec: DatasetSpec, tmp_path: Path, changed: dict[str, object]) -> None:
    spec = replace(spec, num_epochs=1)
    find_plan(spec.open_corpus(), spec, OPTIM, cache_dir=str(tmp_path))
    optim = changed.pop("optim", OPTIM)
    assert isinstance(optim, OptimConfig)
    other = replace(spec, **changed)  # type: ignore[arg-type]
    find_plan(other.open_corpus(), other, optim, cache_dir=str(tmp_path))
    assert len(list(tmp_path.glob("plan-*.json"))) == 2


def test_a_plan_of_another_version_is_walked_through_again(spec: DatasetSpec, tmp_path: Path) -> None:
    spec = replace(spec, num_epochs=1)
    first = find_plan(spec.open_corpus(), spec, OPTIM, cache_dir=str(tmp_path))
    (path,) = tmp_path.glob("plan-*.json")
    path.write_text("{}", encoding="utf-8")
    again = find_plan(spec.open_corpus(), spec, OPTIM, cache_dir=str(tmp_path))
    assert replace(again, seconds=0.0) == replace(first, seconds=0.0)
