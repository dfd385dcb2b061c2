import pickle
from functools import partial
from importlib import import_module
from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from curate.contract.reasons import ALL_REASONS
from filters.registry import RULES, RuleSpec

COLUMNS: dict[str, list[Any]] = {
    "kind": ["interleaved", "pair", "text", "interleaved"],
    "lang": ["en", "de", "en", None],
    "lang_prob": [0.9, 0.9, 0.1, None],
    "num_words": [100, 1, 1, 1],
    "replacement_ratio": [0.0, 0.5, 0.5, None],
    "image_url": ["https://h/a.jpg", "https://h/logo.png", "https://h/icon.png", "https://h/icons/x.png"],
    "url_count": [1, 11, 11, 11],
    "original_width": [400, 1000, 1, None],
    "original_height": [300, 100, 9, None],
    "best_sim": [0.5, 0.0, 0.0, None],
    "num_images": [1, 0, 0, 0],
}
BATCH = pa.record_batch(COLUMNS)
SPECS = [pytest.param(spec, id=name) for name, spec in RULES.items()]


def test_the_rules_and_the_order_in_which_they_are_asked() -> None:
    assert list(RULES) == [
        "text.language",
        "text.words",
        "text.replacement",
        "url.tokens",
        "url.frequency",
        "image.size",
        "image.aspect",
        "image.clip",
        "doc.images",
    ]


@pytest.mark.parametrize("spec", SPECS)
def test_name_file_reason_and_level_agree(spec: RuleSpec) -> None:
    item, rule = spec.name.split(".")
    assert spec.function is getattr(import_module(f"filters.{item}.{rule}"), rule)
    assert spec.name in ALL_REASONS
    assert spec.level == item
    assert spec.phase == ("admit" if item in {"text", "url"} else "keep")


@pytest.mark.parametrize("spec", SPECS)
def test_a_rule_reads_its_columns_only_and_rejects_with_its_own_name(spec: RuleSpec) -> None:
    reasons = spec.function(BATCH.select(list(spec.columns)), config=spec.config())
    assert isinstance(reasons, pa.StringArray)
    assert reasons[0].as_py() is None
    assert reasons[3].as_py() == spec.name
    assert set(reasons.to_pylist()) == {None, spec.name}


@pytest.mark.parametrize("spec", SPECS)
def test_kinds_outside_the_rule_s_are_kept(spec: RuleSpec) -> None:
    config = spec.config.model_validate({"kinds": ["pair"]})
    reasons = spec.function(BATCH.select(list(spec.columns)), config=config).to_pylist()
    assert reasons == [None, spec.name, None, None]


@pytest.mark.parametrize("spec", SPECS)
def test_no_rows_give_no_reasons(spec: RuleSpec) -> None:
    assert len(spec.function(BATCH.slice(0, 0).select(list(spec.columns)), config=spec.config())) == 0


@pytest.mark.parametrize("spec", SPECS)
def test_a_bound_rule_travels_to_another_process(spec: RuleSpec) -> None:
    bound = pickle.loads(pickle.dumps(partial(spec.function, config=spec.config())))  # noqa: S301 - our own bytes
    batch = BATCH.select(list(spec.columns))
    assert bound(batch).equals(spec.function(batch, config=spec.config()))


@pytest.mark.parametrize("spec", SPECS)
def test_a_misspelt_option_is_refused(spec: RuleSpec) -> None:
    with pytest.raises(ValidationError, match="mox"):
        spec.config.model_validate({"mox": 1})


def test_only_the_clip_rule_needs_scores() -> None:
    assert [name for name, spec in RULES.items() if spec.needs_clip] == ["image.clip"]
