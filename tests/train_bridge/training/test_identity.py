from train_bridge.training.identity import Changes, find_changes

SAVED = {
    "num_steps": 10,
    "counted": ["a"],
    "optim": {"lr": 1.0, "max_steps": 10, "epochs": 1, "module_lr": {"vision": 0.1}, "schedule": "cosine"},
    "pack": {"seq_length": 64},
}


def test_the_same_is_no_change() -> None:
    assert find_changes(SAVED, SAVED) == Changes(allowed=(), refused=())


def test_rates_schedule_and_the_number_of_steps_may_change() -> None:
    optim = {"lr": 2.0, "max_steps": 20, "epochs": 1, "module_lr": {"vision": 0.2}, "schedule": "wsd"}
    changes = find_changes(SAVED, {**SAVED, "num_steps": 20, "optim": optim})
    assert changes.refused == ()
    assert "optim.lr was 1.0, is 2.0" in changes.allowed
    assert len(changes.allowed) == 5


def test_what_decides_which_sample_comes_when_makes_another_plan() -> None:
    now = {
        "num_steps": 10,
        "counted": ["b"],
        "optim": {"lr": 1.0, "max_steps": None, "epochs": 2, "module_lr": {}, "schedule": "cosine"},
        "pack": {"seq_length": 128},
        "data": {"weights": {"captions": 0.5}},
    }
    saved = {**SAVED, "data": {"weights": {"captions": {"0": 0.2, "10B": 0.5}}}}
    assert find_changes(saved, now) == Changes(
        allowed=(),
        refused=("optim.module_lr.vision was 0.1, is None", "pack.seq_length was 64, is 128"),
        plan=(
            "the shards or the tokenizer, by what was counted of them was ['a'], is ['b']",
            "data.weights.captions was {'0': 0.2, '10B': 0.5}, is 0.5",
            "optim.epochs was 1, is 2",
            "optim.max_steps was 10, is None",
        ),
    )
