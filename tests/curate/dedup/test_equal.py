import numpy as np
import pyarrow as pa

from curate.contract.schemas import IMAGE_HASHES
from curate.dedup.equal import find_equal, hash_words


def hashes(*rows: tuple[int, str]) -> pa.Table:
    ids = [name.encode().ljust(32, b"\0") for _, name in rows]
    return pa.table([pa.array([n for n, _ in rows], pa.int64()), pa.array(ids, pa.binary(32))], schema=IMAGE_HASHES)


def test_images_with_equal_bytes_name_the_first_of_them() -> None:
    found = find_equal(hashes((9, "b"), (2, "a"), (5, "c"), (7, "a"), (1, "b"), (8, "a")))
    assert list(zip(*(found[name].to_pylist() for name in ("image", "first")), strict=True)) == [
        (1, 1),
        (2, 2),
        (7, 2),
        (8, 2),
        (9, 1),
    ]


def test_hashes_that_differ_in_their_last_byte_are_not_equal() -> None:
    first, second = b"x" * 32, b"x" * 31 + b"y"
    rows = pa.table([pa.array([1, 2], pa.int64()), pa.array([first, second], pa.binary(32))], schema=IMAGE_HASHES)
    assert find_equal(rows).num_rows == 0


def test_nothing_and_tables_of_many_chunks() -> None:
    assert find_equal(IMAGE_HASHES.empty_table()).num_rows == 0
    chunks = pa.concat_tables([hashes((1, "a")), IMAGE_HASHES.empty_table(), hashes((2, "a"), (3, "b"))])
    assert find_equal(chunks)["image"].to_pylist() == [1, 2]


def test_words_sort_as_bytes_do_and_respect_slices() -> None:
    rng = np.random.default_rng(0)
    data = [rng.bytes(16) for _ in range(50)]
    words = hash_words(pa.array(data, pa.binary(16)))
    assert [data[row] for row in np.lexsort(words.T[::-1])] == sorted(data)
    assert (hash_words(pa.array(data, pa.binary(16)).slice(7, 5)) == words[7:12]).all()
