"""What each sample of a pool amounts to in the unit of a blend."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.blend.config import BlendConfig, Unit

Amounts = npt.NDArray[np.int64]


def measure_amounts(pool: pa.Table, config: BlendConfig, *, text_tokens: Amounts | None = None) -> dict[Unit, Amounts]:
    """Return the amount of every pool row in each unit, int64 [N].

    Tokens are those of the text plus ``config.tokens_per_image`` for each image. Without ``text_tokens`` they are an
    estimate: characters over ``config.chars_per_token``, rounded up per sample.

    Args:
        pool: Schema POOL; reads num_images and num_chars.
        config: The blend.
        text_tokens: Counted tokens of each row's text, int64 [N].
    """
    num_images = pool["num_images"].to_numpy().astype(np.int64)
    if text_tokens is None:
        text_tokens = np.ceil(pool["num_chars"].to_numpy() / config.chars_per_token).astype(np.int64)
    return {
        "samples": np.ones(pool.num_rows, dtype=np.int64),
        "images": num_images,
        "tokens": text_tokens + num_images * config.tokens_per_image,
    }
