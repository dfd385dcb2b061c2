from pipelines.bench.train import rows_of


def test_rows_say_how_much_faster_and_how_much_waiting() -> None:
    speed, wait = rows_of({"packed": [30.0, 20.0, 40.0], "padded": [10.0, 10.0, 12.0], "data_wait": [0.01, 0.0, 0.02]})
    assert (speed["ours"], speed["peer_value"], speed["ratio"], speed["runs"]) == (30.0, 10.0, 3.0, 3)
    assert (wait["ours"], wait["peer_value"], wait["ratio"]) == (0.01, 0.02, 2.0)


def test_a_gpu_has_rows_of_its_own() -> None:
    gpu = {"tokens_per_s": 9000.0, "mfu": 0.4, "data_wait": 0.001, "fill": 0.99, "peak_memory_bytes": 4e10}
    values = {"packed": [1.0], "padded": [1.0], "data_wait": [0.0], "gpu": gpu, "gpu_name": "a GPU"}
    rows = rows_of(values)[2:]
    assert [(row["case"].removeprefix("gpu "), row["ours"]) for row in rows] == list(gpu.items())
    assert {row["peer"] for row in rows} == {"a GPU"}


def test_no_waiting_at_all_has_no_ratio() -> None:
    rows = rows_of({"packed": [1.0], "padded": [1.0], "data_wait": [0.0]})
    assert rows[1]["ratio"] is None
