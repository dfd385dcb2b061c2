import json
from decimal import Decimal
from typing import Any

import pytest

from curate.ingest.files.faults import RecordError
from curate.ingest.formats.meta import keep_rest


def test_used_fields_are_left_out() -> None:
    assert keep_rest({"url": "u", "lang": "en", "n": None}, used=("url",)) == {"lang": "en", "n": None}


def test_everything_becomes_json() -> None:
    fields = {
        "nan": float("nan"),
        "inf": [float("inf"), 1.5],
        "hash": b"\x01\xff",
        "picture": bytes(65),
        "price": Decimal("1.10"),
        "flag": True,
        "deep": {"a": (1, {"b": None})},
    }
    assert json.loads(json.dumps(keep_rest(fields, used=()), allow_nan=False)) == {
        "nan": None,
        "inf": [None, 1.5],
        "hash": "01ff",
        "picture": "<65 bytes>",
        "price": "1.10",
        "flag": True,
        "deep": {"a": [1, {"b": None}]},
    }


def _nest(depth: int) -> Any:
    return [] if depth == 1 else [_nest(depth - 1)]


def test_nesting_is_bounded() -> None:
    assert keep_rest({"a": _nest(32)}, used=()) == {"a": _nest(32)}
    with pytest.raises(RecordError, match="nested deeper"):
        keep_rest({"a": _nest(33)}, used=())
