from pathlib import Path

import pytest
from pydantic import ValidationError

from shards.datasheet import (
    CollectionFacts,
    Datasheet,
    DatasheetConfig,
    render_collection,
    render_composition,
    render_rights,
    size_category,
)
from shards.reader import read_index
from tests.shards.contents import contents_of


@pytest.mark.parametrize(
    ("num_samples", "name"),
    [(1, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (10**9, "1B<n<10B"), (10**12, "100B<n<1T")],
)
def test_size_classes_are_the_hubs(num_samples: int, name: str) -> None:
    assert size_category(num_samples) == name


def test_composition_comes_from_the_index(shard_set: Path) -> None:
    text = render_composition(contents_of(read_index(str(shard_set))))
    assert "- 8 different documents; 0 samples are repeats of one." in text
    assert "- Words in a sample: 3 to 3, median 3." in text
    assert "- Images in a sample: 0 to 12, median 1." in text
    assert "- Shorter side of an image: 8 to 9, median 9 px." in text


def test_a_set_of_texts_has_no_image_sizes(shard_set: Path) -> None:
    text = render_composition(contents_of(read_index(str(shard_set)).slice(0, 2)))
    assert "- Images in a sample: 0 to 0, median 0." in text
    assert "Shorter side" not in text


def test_opt_outs_are_named_and_counted() -> None:
    facts = CollectionFacts(
        user_agent="bot/1", honoured=["robots.txt", "TDMRep"], ignored=["X-Robots-Tag"], clip_model="ViT-L-14"
    )
    text = render_collection(Datasheet(facts=facts, refusals={"fetch.opted_out": (1, 20), "fetch.robots": (1_000, 5)}))
    assert "`bot/1`" in text
    assert "obeyed: robots.txt; TDMRep." in text
    assert "not asked: X-Robots-Tag." in text
    assert "1,001 documents and 25 images." in text
    assert "cosines by ViT-L-14." in text


def test_what_is_unknown_is_said_to_be() -> None:
    text = render_collection(Datasheet())
    assert "crawler's name is unknown" in text
    assert "obeyed: none recorded." in text
    assert "0 documents and 0 images" in text
    assert "Similarities" not in text


def test_every_source_has_a_licence_line() -> None:
    config = DatasheetConfig(license="cc-by-4.0", source_licenses={"web": "CC BY-SA 4.0"}, contact="a@b.org")
    text = render_rights(Datasheet(config=config), sources=["flan", "web"])
    assert "`cc-by-4.0`" in text
    assert "- flan: not stated\n- web: CC BY-SA 4.0\n" in text
    assert "Write to a@b.org." in text
    assert "whoever gave you this set" in render_rights(Datasheet(), sources=[])


def test_unknown_fields_are_refused() -> None:
    with pytest.raises(ValidationError):
        DatasheetConfig.model_validate({"licence": "mit"})
