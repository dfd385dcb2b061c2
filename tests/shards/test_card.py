from dataclasses import replace
from pathlib import Path

import yaml

from shards.card import FilterYield, card_features, read_card_header, render_card
from shards.datasheet import CollectionFacts, DatasheetConfig
from shards.reader import read_index
from tests.shards.conftest import INFO
from tests.shards.contents import contents_of


def test_the_card_declares_as_many_images_as_the_largest_document_has(shard_set: Path) -> None:
    card = (shard_set / "README.md").read_text()
    features = read_card_header(card)["dataset_info"]["features"]
    assert [feature["name"] for feature in features[:3]] == ["__key__", "__url__", "json"]
    assert features[2]["dtype"] == "json"
    assert [feature["name"] for feature in features[3:]] == [f"{number}.jpg" for number in range(12)]
    assert {feature["dtype"] for feature in features[3:]} == {"image"}


def test_the_header_points_at_the_tars_alone(shard_set: Path) -> None:
    header = yaml.safe_load((shard_set / "README.md").read_text().split("---\n")[1])
    assert header["configs"][0]["data_files"] == [{"split": "train", "path": "*.tar"}]


def test_people_read_sources_filters_and_blend(shard_set: Path) -> None:
    entry = {"weight": 0.5, "wanted_share": 1.0, "got_share": 0.99991, "most_repeats": 2}
    info = replace(INFO, blend={"unit": "tokens", "entries": {"we|b": entry}})
    card = render_card(contents_of(read_index(str(shard_set))), info=info, num_bytes=12_345)
    assert "8 samples with 17 images in 2 shards, 12,345 bytes" in card
    assert "| flan | text | 2 | 0 | 6 |\n| web | interleaved | 6 | 17 | 18 |\n" in card
    assert "| image.clip min=0.15 | 2 | 1,234 |" in card
    assert "| we\\|b | 0.5 | 1.0000 | 0.9999 | 2 |" in card
    assert INFO.recipe_sha256 in card


def test_the_datasheet_is_part_of_the_card(shard_set: Path) -> None:
    refused = FilterYield(name="fetch.opted_out", num_documents=3, num_images=40)
    info = replace(
        INFO,
        filters=[*INFO.filters, refused],
        datasheet=DatasheetConfig(description="For tests.", license="mit", source_licenses={"web": "CC0"}),
        facts=CollectionFacts(honoured=["robots.txt"]),
    )
    card = render_card(contents_of(read_index(str(shard_set))), info=info, num_bytes=1)
    header = yaml.safe_load(card.split("---\n")[1])
    assert (header["license"], header["size_categories"]) == ("mit", ["n<1K"])
    assert header["tags"] == ["interleaved", "webdataset"]
    assert "# main\n\nFor tests.\n\nInterleaved" in card
    assert "Left out because of them: 3 documents and 40 images." in card
    assert "- flan: not stated\n- web: CC0\n" in card
    titles = [line for line in card.splitlines() if line.startswith("## ")]
    assert titles == [
        *("## Sources", "## Composition", "## Collection and opt-outs", "## Filters"),
        *("## Rights and removal", "## Limits", "## Layout"),
    ]


def test_the_card_counts_licences_of_the_shards(shard_set: Path) -> None:
    card = (shard_set / "README.md").read_text()
    assert "| flan | not stated | 2 |\n| web | not stated | 6 |\n" in card
    assert "## Licences stated" not in render_card(contents_of(read_index(str(shard_set))), info=INFO, num_bytes=1)


def test_sections_without_content_are_left_out(shard_set: Path) -> None:
    card = render_card(contents_of(read_index(str(shard_set))), info=replace(INFO, filters=()), num_bytes=1)
    assert "## Blend" not in card
    assert "## Filters" not in card


def test_a_set_of_texts_declares_no_image() -> None:
    assert [feature["name"] for feature in card_features(0)] == ["__key__", "__url__", "json"]


def test_a_card_without_a_header_reads_as_empty() -> None:
    for card in ("", "# Title\n", "---\n[\n---\n", "---\n- 1\n---\n", "---\n---\n"):
        assert read_card_header(card) == {}
