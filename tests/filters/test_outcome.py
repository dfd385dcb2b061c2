import pyarrow as pa
from pydantic import BaseModel

from curate.contract.reasons import Kind, Reason
from filters.outcome import ALL_KINDS, WITH_IMAGES, Kinds, reject_unless


def test_only_rows_of_the_rule_s_kinds_are_rejected() -> None:
    reasons = reject_unless(
        pa.array([True, False, False, None, None]),
        kind=pa.array(["pair", "pair", "text", "interleaved", "text"]),
        kinds=WITH_IMAGES,
        reason=Reason.IMAGE_SIZE,
    )
    assert reasons.type == pa.string()
    assert reasons.to_pylist() == [None, "image.size", None, "image.size", None]


def test_no_rows() -> None:
    empty = pa.array([], pa.string())
    reasons = reject_unless(pa.array([], pa.bool_()), kind=empty, kinds=ALL_KINDS, reason=Reason.IMAGE_SIZE)
    assert (len(reasons), reasons.type) == (0, pa.string())


def test_kinds_are_written_in_a_fixed_order() -> None:
    class Config(BaseModel):
        kinds: Kinds = ALL_KINDS

    assert Config().model_dump(mode="json") == {"kinds": ["interleaved", "pair", "text"]}
    assert Config.model_validate({"kinds": ["text"]}).kinds == {Kind.TEXT}
    assert Config.model_validate_json(Config().model_dump_json()) == Config()
