from curate.fetch.memory import Memory, process_memory


def test_one_memory_per_process_and_fresh_ones_for_tests() -> None:
    assert process_memory() is process_memory()
    assert Memory().hosts is not Memory().hosts
