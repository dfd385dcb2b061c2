from fractions import Fraction

import numpy as np

from curate.blend.amounts import measure_amounts
from curate.blend.config import BlendConfig
from curate.blend.entries import resolve_entries
from curate.blend.summary import summarize
from tests.curate.blend.conftest import MakePool


def test_the_summary_counts_what_was_drawn_and_what_was_not(make_pool: MakePool) -> None:
    pool = make_pool(("coyo", "pair", 3), ("laion", "pair", 1), ("flan", "text", 2))
    config = BlendConfig(weights={"pair": 1})
    entries = resolve_entries(pool.group_names, config.weights)
    rows = np.array([0, 3, 0], dtype=np.uint32)
    summary = summarize(pool, entries, rows=rows, amounts=measure_amounts(pool, config), config=config, total=3)
    assert (summary["samples"], summary["images"], summary["tokens"]) == (3, 3, 3 * 586)
    assert summary["num_bytes"] == 3000
    assert summary["left_out"] == {"flan": 2}
    assert entries[0].shares == (Fraction(1),)
    assert summary["entries"]["pair"] == {
        "weight": 1,
        "wanted_share": 1.0,
        "got_share": 1.0,
        "drawn": {"samples": 3, "images": 3, "tokens": 3 * 586, "words": 24},
        "supply": {"samples": 4, "images": 4, "tokens": 4 * 586, "words": 32},
        "sources": {"coyo": 2, "laion": 1},
        "not_drawn": 2,
        "most_repeats": 2,
    }
    assert summary["pool"] == [
        {
            "source": "coyo",
            "kind": "pair",
            "samples": 3,
            "images": 3,
            "tokens": 3 * 586,
            "words": 24,
            "num_bytes": 3003,
        },
        {"source": "flan", "kind": "text", "samples": 2, "images": 0, "tokens": 20, "words": 16, "num_bytes": 2001},
        {"source": "laion", "kind": "pair", "samples": 1, "images": 1, "tokens": 586, "words": 8, "num_bytes": 1000},
    ]
