from concurrent.futures import ThreadPoolExecutor

import numpy as np

from curate.fetch.decode.scratch import MAX_BYTES, borrow


def address(array: np.ndarray) -> int:
    return int(array.__array_interface__["data"][0])


def test_a_name_gives_the_same_memory_again_in_any_shape_that_fits() -> None:
    first = borrow("test", (30, 40, 3))
    assert (first.shape, first.flags.c_contiguous) == ((30, 40, 3), True)
    assert first.dtype == np.uint8
    assert address(borrow("test", (40, 30, 3))) == address(borrow("test", (2, 2))) == address(first)
    assert borrow("test", (31, 40, 3)).shape == (31, 40, 3)


def test_names_and_threads_do_not_share() -> None:
    mine = borrow("test", (10,))
    mine[:] = 7
    borrow("other", (10,))[:] = 8
    with ThreadPoolExecutor(1) as threads:
        threads.submit(lambda: borrow("test", (10,)).fill(9)).result()
    assert mine.tolist() == [7] * 10


def test_large_arrays_are_not_kept() -> None:
    large = borrow("test", (MAX_BYTES + 1,))
    assert address(borrow("test", (MAX_BYTES + 1,))) != address(large)
    assert address(borrow("test", (10,))) != address(large)
