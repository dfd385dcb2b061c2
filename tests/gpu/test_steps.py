import math
from pathlib import Path

from train_bridge.bench.device import GPU, MAX_GROWTH_BYTES
from train_bridge.bench.gpu import measure_steps
from train_bridge.training.ranks import joined_ranks


def test_fifty_steps_of_stage_1_take_no_more_memory_at_their_end_and_learn(documents: str, tmp_path: Path) -> None:
    with joined_ranks() as ranks:
        found = measure_steps(documents, str(tmp_path), ranks=ranks, num_steps=GPU.soak_steps)
    assert math.isfinite(found["last_loss"])
    assert found["last_loss"] < found["first_loss"]
    assert found["memory_growth_bytes"] <= MAX_GROWTH_BYTES
    assert 0 < found["mfu"] < 1
    assert found["data_wait"] < 0.05


def test_inputs_of_layers_in_host_memory_leave_room_and_the_loss_as_it_is(documents: str, tmp_path: Path) -> None:
    found = {}
    with joined_ranks() as ranks:
        for offloads in (False, True):
            found[offloads] = measure_steps(
                documents,
                str(tmp_path / str(offloads)),
                ranks=ranks,
                model=GPU.compared,
                seq_length=16_384,
                global_batch=1,
                num_steps=4,
                changes={"run": {"activation_offload": offloads}},
            )
    assert found[True]["peak_memory_bytes"] < found[False]["peak_memory_bytes"]
    assert math.isclose(found[True]["last_loss"], found[False]["last_loss"], rel_tol=1e-2)
