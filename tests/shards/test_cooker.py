import importlib
import json
import pickle
import warnings
from typing import Any

import pytest

RECORD = {"doc_id": "a", "items": [{"type": "image", "part": f"{number}.jpg"} for number in range(12)]}


@pytest.fixture(scope="module")
def cooker() -> Any:
    """Import here and not while tests are collected: Energon takes seconds and much memory."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own business
        pytest.importorskip("megatron.energon")
        return importlib.import_module("shards.cooker")


def _crude(record: object) -> dict[str, Any]:
    images = {f"{number}.jpg": bytes([number]) for number in (*range(2, 12), 0, 1)}
    keys = {"__key__": "00000000003", "__restore_key__": ("Webdataset", 3), "__subflavors__": {"a": "b"}}
    return {**keys, "json": record, **images}


@pytest.mark.parametrize("record", [RECORD, json.dumps(RECORD), json.dumps(RECORD).encode()])
def test_images_come_in_number_order_whatever_the_decoder_did(cooker: Any, record: object) -> None:
    cooked = cooker.cook_interleaved(_crude(record))
    assert cooked.record == RECORD
    assert cooked.images == [bytes([number]) for number in range(12)]


def test_keys_are_passed_on_and_the_sample_crosses_processes(cooker: Any) -> None:
    cooked = pickle.loads(pickle.dumps(cooker.cook_interleaved(_crude(RECORD))))  # noqa: S301 - our own bytes
    assert isinstance(cooked, cooker.InterleavedSample)
    assert (cooked.__key__, cooked.__restore_key__) == ("00000000003", ("Webdataset", 3))
    assert cooked.__subflavors__ == {"a": "b"}
