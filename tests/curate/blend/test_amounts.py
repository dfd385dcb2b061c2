import numpy as np
import pyarrow as pa

from curate.blend.amounts import measure_amounts
from curate.blend.config import BlendConfig
from tests.curate.blend.conftest import MakePool


def test_tokens_are_characters_rounded_up_and_a_fixed_number_per_image(make_pool: MakePool) -> None:
    pool = pa.concat_tables([make_pool(("a", "pair", 1), num_chars=41), make_pool(("b", "text", 1), num_chars=0)])
    amounts = measure_amounts(pool, BlendConfig(chars_per_token=4.0, tokens_per_image=100))
    assert amounts["samples"].tolist() == [1, 1]
    assert amounts["images"].tolist() == [1, 0]
    assert amounts["tokens"].tolist() == [11 + 100, 0]


def test_counted_tokens_stand_instead_of_the_estimate(make_pool: MakePool) -> None:
    pool = make_pool(("a", "pair", 2))
    amounts = measure_amounts(pool, BlendConfig(tokens_per_image=100), text_tokens=np.array([7, 9]))
    assert amounts["tokens"].tolist() == [107, 109]
