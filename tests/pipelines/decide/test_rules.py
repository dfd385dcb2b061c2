import pickle

import pyarrow as pa

from filters.image.aspect import AspectConfig
from filters.image.size import SizeConfig
from filters.registry import RULES
from pipelines.decide.rules import first_reasons, rules_at

CONFIGS = {"image.size": SizeConfig(min=100), "image.aspect": AspectConfig(max=2)}


def sides(*pairs: tuple[int, int]) -> pa.Table:
    rows = [
        {"doc_id": f"d{n}", "position": n, "kind": "pair", "original_width": w, "original_height": h}
        for n, (w, h) in enumerate(pairs)
    ]
    fields = [("doc_id", pa.string()), ("position", pa.int32()), ("kind", pa.string())]
    return pa.Table.from_pylist(
        rows, schema=pa.schema([*fields, ("original_width", pa.int32()), ("original_height", pa.int32())])
    )


def test_rules_are_taken_by_level_and_in_order() -> None:
    rules = rules_at("image", CONFIGS)
    assert len(rules) == 2
    assert rules_at("doc", CONFIGS) == []
    assert {spec.level for spec in RULES.values()} == {"text", "url", "image", "doc"}


def test_the_first_rule_that_rejects_gives_the_reason() -> None:
    batch = sides((400, 300), (99, 400), (900, 300))
    assert first_reasons(batch, rules_at("image", CONFIGS)).to_pylist() == [None, "image.size", "image.aspect"]


def test_no_rule_and_no_row() -> None:
    assert first_reasons(sides((1, 1)), []).to_pylist() == [None]
    assert first_reasons(sides(), rules_at("image", CONFIGS)).to_pylist() == []


def test_a_batch_of_many_chunks_is_read_whole() -> None:
    batch = pa.concat_tables([sides((400, 300)), sides((1, 1)), sides()])
    assert first_reasons(batch, rules_at("image", CONFIGS)).to_pylist() == [None, "image.size"]


def test_bound_rules_travel_to_workers() -> None:
    (rule,) = rules_at("image", {"image.size": CONFIGS["image.size"]})
    again = pickle.loads(pickle.dumps(rule))  # noqa: S301 - our own bytes
    assert again(sides((1, 1)).to_batches()[0]).to_pylist() == ["image.size"]
