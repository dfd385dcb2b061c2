"""Orders and summaries that must never change: with the same documents, a blend made years ago comes out again."""

import hashlib
import json
from functools import cache
from typing import Any

import numpy as np
import pytest

from curate.blend.chunks import Integers
from curate.blend.config import BlendConfig
from curate.blend.plan import BlendPlan, plan_blend
from curate.blend.pool import Pool
from tests.curate.blend.conftest import pool_of, with_numbers

GROUPS = (
    ("web", "interleaved", 5),
    ("news", "interleaved", 2),
    ("coyo", "pair", 7),
    ("laion", "pair", 4),
    ("flan", "text", 3),
)
"""Source, kind, and how many documents in 21."""
FEW, MANY = 100, 4000

ORDERS: dict[str, tuple[int, dict[str, Any], int, str]] = {
    "as it comes": (FEW, {}, 2100, "358d68008f496245"),
    "samples": (
        FEW,
        {"weights": {"interleaved": 0.5, "pair": 0.4, "text": 0.1}, "seed": 3},
        1400,
        "45fd73d0a18b3d39",
    ),
    "a source apart, others left out": (
        FEW,
        {"weights": {"pair": 1, "coyo": 2, "flan": 0.5}, "total": 800},
        800,
        "7d4e874c63213f83",
    ),
    "images": (
        FEW,
        {"unit": "images", "weights": {"interleaved": 3, "laion": 1}, "max_repeats": 3},
        1486,
        "aff1d7cda546f72c",
    ),
    "tokens": (
        FEW,
        {
            "unit": "tokens",
            "weights": {"interleaved": 0.6, "pair": 0.3, "text": 0.1},
            "tokens_per_image": 144,
            "seed": 1,
        },
        1373,
        "9d49b6cf7218de71",
    ),
    "counted tokens": (
        FEW,
        {
            "unit": "tokens",
            "weights": {"web": 0.6, "pair": 0.3, "text": 0.1},
            "max_repeats": 4,
            "tokenizer": "some",
        },
        2831,
        "b7e6be566af5d1ae",
    ),
    "changing by share": (
        FEW,
        {
            "weights": {"interleaved": 1, "pair": {"0%": 1, "50%": 0.2}, "text": {"0%": 0, "30%": 0, "100%": 1}},
            "max_repeats": 2,
        },
        2378,
        "563bfeb255cffc91",
    ),
    "changing by amount": (
        FEW,
        {
            "unit": "tokens",
            "weights": {"interleaved": 1, "text": {"0": 0, "100_000": 0.5}, "pair": {"0": 0.1, "1M": 0.9}},
            "total": "2M",
        },
        453,
        "98dee311d77aa5ed",
    ),
    "epochs": (
        FEW,
        {
            "unit": "images",
            "weights": {"interleaved": 2, "pair": 1},
            "epochs": 2.5,
            "max_repeats": 8,
            "seed": 9,
        },
        9356,
        "7cb328b2f1f24b66",
    ),
    "many samples": (
        MANY,
        {"weights": {"interleaved": 0.5, "pair": 0.4, "text": 0.1}, "max_repeats": 2},
        112_000,
        "470df35543234d25",
    ),
    "many samples by tokens": (
        MANY,
        {"unit": "tokens", "weights": {"interleaved": {"0%": 1, "100%": 3}, "pair": 2, "text": 0.01}},
        56_953,
        "3240b3e8f4c7a489",
    ),
}
"""Documents in a 21st, options, samples, and the digest of order and summary."""


@cache
def golden_pool(scale: int) -> Pool:
    """Return documents that are made up from their numbers, in no order, in partitions of 701."""
    rows: list[dict[str, Any]] = []
    for source, kind, part in GROUPS:
        for number in range(part * scale):
            draw = int.from_bytes(hashlib.sha256(f"{source} {number}".encode()).digest()[:16], "big")
            num_chars = (draw >> 20) % 3000 if (draw >> 40) % 11 else (draw >> 20) % 200_000
            rows.append(
                {
                    "doc_id": f"{draw >> 64:016x}",
                    "source": source,
                    "kind": kind,
                    "num_images": {"interleaved": draw % 30 if draw % 7 else 0, "pair": 1, "text": 0}[kind],
                    "num_words": num_chars // 6,
                    "num_chars": num_chars,
                    "num_bytes": 1000 + (draw >> 7) % 90_000,
                }
            )
    rows.sort(key=lambda row: hashlib.sha256(f"place {row['doc_id']}".encode()).digest())
    table = with_numbers(rows)
    return pool_of(*(table.slice(start, 701) for start in range(0, table.num_rows, 701)))


def digest(plan: BlendPlan) -> str:
    order = plan.rows.astype("<i8").tobytes() + plan.repeats.astype("<i4").tobytes()
    return hashlib.sha256(order + json.dumps(plan.summary).encode()).hexdigest()[:16]


@pytest.mark.parametrize("name", ORDERS)
def test_the_order_is_what_it_was(name: str) -> None:
    scale, options, num_samples, wanted = ORDERS[name]
    pool, config = golden_pool(scale), BlendConfig(**options)
    text_tokens = np.arange(pool.num_documents) % 701 if config.tokenizer is not None else None
    plan = plan_blend(pool, config, text_tokens=text_tokens)
    assert len(plan.rows) == num_samples
    assert digest(plan) == wanted


@pytest.mark.parametrize("dtype", ["uint16", "uint32", "int64"])
def test_the_order_does_not_depend_on_how_wide_tokens_are_held(dtype: str) -> None:
    scale, options, _, wanted = ORDERS["counted tokens"]
    pool = golden_pool(scale)
    text_tokens: Integers = (np.arange(pool.num_documents) % 701).astype(dtype)
    assert digest(plan_blend(pool, BlendConfig(**options), text_tokens=text_tokens)) == wanted
