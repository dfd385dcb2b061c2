"""What each sample of a pool amounts to in the unit of a blend."""

import numpy as np

from curate.blend.chunks import Integers, chunks
from curate.blend.config import BlendConfig, Unit
from curate.blend.pool import Pool

_MAX_NARROW = np.iinfo(np.uint32).max


def measure_amounts(pool: Pool, config: BlendConfig, *, text_tokens: Integers | None = None) -> dict[Unit, Integers]:
    """Return the amount of every pool row in each unit, [N]; 4 bytes each unless some do not fit.

    Tokens are those of the text plus ``config.tokens_per_image`` for each image. Without ``text_tokens`` they are an
    estimate: characters over ``config.chars_per_token``, rounded up per sample.

    Args:
        pool: The documents.
        config: The blend.
        text_tokens: Counted tokens of each row's text, [N].
    """
    return {
        "samples": np.broadcast_to(np.uint32(1), pool.num_documents),
        "images": pool.num_images,
        "tokens": _measure_tokens(pool, config, text_tokens),
    }


def _measure_tokens(pool: Pool, config: BlendConfig, text_tokens: Integers | None) -> Integers:
    most_of_text = (
        np.ceil(pool.num_chars.max(initial=0) / config.chars_per_token)
        if text_tokens is None
        else text_tokens.max(initial=0)
    )
    most = float(most_of_text) + float(pool.num_images.max(initial=0)) * config.tokens_per_image
    tokens: Integers = np.empty(pool.num_documents, dtype=np.uint32 if most <= _MAX_NARROW else np.int64)
    for part in chunks(len(tokens)):
        of_images = pool.num_images[part].astype(np.int64) * config.tokens_per_image
        of_text = np.ceil(pool.num_chars[part] / config.chars_per_token) if text_tokens is None else text_tokens[part]
        tokens[part] = of_images + of_text.astype(np.int64)
    return tokens
