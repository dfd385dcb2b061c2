from dataclasses import replace

import numpy as np
import pytest

from curate.blend.amounts import measure_amounts
from curate.blend.chunks import CHUNK
from curate.blend.config import BlendConfig
from tests.curate.blend.conftest import MakePool, pool_of, pool_rows


def test_tokens_are_characters_rounded_up_and_a_fixed_number_per_image() -> None:
    pool = pool_of(pool_rows(("a", "pair", 1), num_chars=41), pool_rows(("b", "text", 1), num_chars=0))
    amounts = measure_amounts(pool, BlendConfig(chars_per_token=4.0, tokens_per_image=100))
    assert amounts["samples"].tolist() == [1, 1]
    assert amounts["images"].tolist() == [1, 0]
    assert amounts["tokens"].tolist() == [11 + 100, 0]


def test_counted_tokens_stand_instead_of_the_estimate(make_pool: MakePool) -> None:
    pool = make_pool(("a", "pair", 2))
    amounts = measure_amounts(pool, BlendConfig(tokens_per_image=100), text_tokens=np.array([7, 9]))
    assert amounts["tokens"].tolist() == [107, 109]


@pytest.mark.parametrize("num_tokens", [2**32 - 101, 2**32 - 100, 2**40])
def test_amounts_beyond_four_bytes_are_held_in_eight(make_pool: MakePool, num_tokens: int) -> None:
    pool = make_pool(("a", "pair", 2))
    amounts = measure_amounts(pool, BlendConfig(tokens_per_image=100), text_tokens=np.array([7, num_tokens]))
    assert amounts["tokens"].tolist() == [107, num_tokens + 100]


def test_amounts_are_the_same_across_the_border_of_a_chunk(make_pool: MakePool) -> None:
    pool = make_pool(("a", "pair", 3))
    counts = np.arange(CHUNK + 3, dtype=np.uint32)
    wide = replace(pool, hashes=np.resize(pool.hashes, len(counts)), num_images=np.resize(pool.num_images, len(counts)))
    amounts = measure_amounts(wide, BlendConfig(tokens_per_image=5), text_tokens=counts)
    assert amounts["tokens"].tolist() == (counts + 5).tolist()
