import itertools
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from curate.contract.errors import CurateError, RecipeError
from tests.train_bridge.conftest import make_sample, stage_config, write_set
from train_bridge.config import StageConfig
from train_bridge.count_tokens import main as count_tokens
from train_bridge.packing.plan import plan_packs
from train_bridge.training.checkpoint import list_checkpoints, newest_progress
from train_bridge.training.loop import train_stage
from train_bridge.training.metrics import read_metrics
from train_bridge.training.prepare import prepare
from train_bridge.training.ranks import joined_ranks

pytestmark = pytest.mark.slow

EPOCH = {"optim": {"max_steps": None, "epochs": 1}, "run": {"log_packs": True, "max_skipped_share": 1.0}}


def train(config: StageConfig, *, stop_after: int | None = None) -> None:
    steps = itertools.count(1)
    asked = None if stop_after is None else lambda: next(steps) >= stop_after
    with joined_ranks() as ranks:
        train_stage(config, ranks=ranks, asked=asked)


def weighted(shards: str) -> dict[str, Any]:
    return {"shards": shards, "weights": {"captions": 1.0, "chat": 2.0}, "max_unused": 1.0}


def documents(config: StageConfig, *, to_pack: int | None = None) -> Counter[int]:
    """Return how often each document is drawn by the plan of a stage as it stands, up to a pack."""
    with joined_ranks() as ranks:
        prepared = prepare(config, ranks=ranks)
    cursor = None if prepared.start is None else prepared.start.cursor
    packs = plan_packs(prepared.corpus, prepared.spec.plan, cursor=cursor, num_epochs=prepared.spec.num_epochs)
    return Counter(sample.row for pack in packs if to_pack is None or pack.number < to_pack for sample in pack.samples)


def test_a_run_goes_on_with_other_sources_and_repeats_nothing(
    shard_folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = stage_config(shard_folder, tmp_path, **(EPOCH | {"data": {"shards": shard_folder, "order": "shuffled"}}))
    before = documents(first, to_pack=6)
    train(first, stop_after=3)
    capsys.readouterr()
    changed = {
        "shards": shard_folder,
        "order": "shuffled",
        "weights": {"captions": 0.5, "pages": 0.5},
        "max_unused": 1.0,
    }
    second = stage_config(shard_folder, tmp_path, **(EPOCH | {"data": changed}))
    train(second, stop_after=1)
    said = capsys.readouterr().out
    assert "changed: data.weights.captions was None, is 0.5" in said
    assert "planned anew after step 3:" in said
    assert f"  all: {len(before)} of 48 documents were drawn before" in said
    after = documents(second)
    assert not set(before) & set(after)
    assert max(after.values()) == 1
    # Undisturbed from here on, however often it is stopped.
    train(second, stop_after=1)
    assert "changed" not in capsys.readouterr().out
    train(second)
    assert [record["step"] for record in read_metrics(str(tmp_path))] == list(
        range(1, 3 + len(after_steps(second)) + 1)
    )
    assert (tmp_path / "final").exists()


def after_steps(config: StageConfig) -> range:
    with joined_ranks() as ranks:
        prepared = prepare(config, ranks=ranks)
    assert prepared.start is not None
    return range(prepared.start.step, prepared.num_steps)


def test_stopping_after_a_change_changes_nothing(shard_folder: str, tmp_path: Path) -> None:
    changes: dict[str, Any] = {"optim": {"max_steps": 6}}
    for name in ("whole", "parts"):
        train(stage_config(shard_folder, tmp_path / name, **changes), stop_after=2)
        now = stage_config(shard_folder, tmp_path / name, **(changes | {"data": weighted(shard_folder)}))
        for stop_after in (1, 2, None) if name == "parts" else (None,):
            train(now, stop_after=stop_after)
    whole, parts = ([r["loss"] for r in read_metrics(str(tmp_path / name))] for name in ("whole", "parts"))
    assert whole == pytest.approx(parts, rel=1e-6)
    assert len(whole) == 6


def test_a_set_may_come_and_go(shard_folder: str, tmp_path: Path) -> None:
    other = write_set(tmp_path / "other", [make_sample(100 + number) for number in range(12)])
    output = tmp_path / "run"
    one = stage_config(shard_folder, output, **EPOCH)
    both = stage_config(shard_folder, output, **(EPOCH | {"data": {"shards": (other, shard_folder)}}))
    before = documents(one, to_pack=4)
    train(one, stop_after=2)
    added = documents(both)
    assert set(added) == set(range(60)) - {12 + row for row in before}
    meanwhile = documents(both, to_pack=8)
    train(both, stop_after=2)
    rest = documents(one)
    assert set(rest) == set(range(48)) - set(before) - {row - 12 for row in meanwhile}


def test_a_set_that_comes_back_is_not_begun_again_though_its_counts_were_beside_it(
    shard_folder: str, tmp_path: Path
) -> None:
    other = write_set(tmp_path / "other", [make_sample(100 + number) for number in range(12)])
    own = str(shutil.copytree(shard_folder, tmp_path / "own"))  # counts are put beside it
    one = stage_config(own, tmp_path / "run", **EPOCH)
    both = stage_config(own, tmp_path / "run", **(EPOCH | {"data": {"shards": (other, own)}}))
    assert count_tokens([write_stage(both, tmp_path)]) == 0
    before = documents(both, to_pack=6)
    train(both, stop_after=3)
    train(one, stop_after=2)
    assert not {row for row in before if row < 12} & set(documents(both))


def test_the_same_set_twice_is_refused(shard_folder: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="two of them hold the same"):
        train(stage_config(shard_folder, tmp_path, data={"shards": (shard_folder, shard_folder)}))


def write_stage(config: StageConfig, folder: Path) -> str:
    path = folder / "stage.yaml"
    path.write_text(yaml.safe_dump(config.model_dump(mode="json")), encoding="utf-8")
    return str(path)


def test_another_tokenizer_is_no_other_blend(shard_folder: str, tmp_path: Path) -> None:
    train(stage_config(shard_folder, tmp_path), stop_after=1)
    changed = {"shards": shard_folder, "chat": {"template": str(write_template(tmp_path))}}
    with pytest.raises(CurateError, match="the tokenizer or the form of documents is another"):
        train(stage_config(shard_folder, tmp_path, data=changed))


def write_template(folder: Path) -> Path:
    path = folder / "template.jinja"
    path.write_text("{% for m in messages %}{{ m['role'] }} says {{ m['content'] }}\n{% endfor %}", encoding="utf-8")
    return path


def test_what_may_not_change_is_refused_though_the_blend_may(shard_folder: str, tmp_path: Path) -> None:
    train(stage_config(shard_folder, tmp_path), stop_after=1)
    changed = {
        "data": {"shards": shard_folder, "weights": {"captions": 1.0}, "max_unused": 1.0},
        "pack": {"seq_length": 96},
    }
    with pytest.raises(CurateError, match=r"other settings.*pack.seq_length was 64, is 96"):
        train(stage_config(shard_folder, tmp_path, **changed))


@pytest.mark.parametrize("left", [2, 1])
def test_an_older_checkpoint_goes_on_if_the_plan_began_there(shard_folder: str, tmp_path: Path, left: int) -> None:
    kept = {"optim": {"max_steps": 8}, "run": {"keep_checkpoints": 5}}
    first = stage_config(shard_folder, tmp_path, **kept)
    train(first, stop_after=1)
    train(first, stop_after=1)
    second = stage_config(shard_folder, tmp_path, **kept, data=weighted(shard_folder))
    train(second, stop_after=2)
    for newer in list_checkpoints(str(tmp_path / "checkpoints"))[left:]:
        for file in newer.glob("*.distcp"):
            file.write_bytes(b"")
    if left == 1:
        with pytest.raises(CurateError, match="newest checkpoint cannot be read, and that of step 1 has another plan"):
            train(second)
        return
    train(second)
    found = newest_progress(str(tmp_path / "checkpoints"))
    assert found is not None
    assert found[0].step == 8
