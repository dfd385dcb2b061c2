import json
import re
from pathlib import Path
from typing import get_args

from curate.ingest.config import Source
from pipelines.recipes.recipe import Recipe
from pipelines.recipes.reference import recipe_reference, recipe_schema

PAGE = Path(__file__).parents[3] / "docs" / "recipe.md"


def test_the_page_is_that_of_the_models() -> None:
    assert PAGE.read_text(encoding="utf-8") == recipe_reference(), "run: curate schema --markdown > docs/recipe.md"


def test_every_section_rule_and_source_is_there_and_every_key_means_something() -> None:
    page = recipe_reference()
    titles = set(re.findall(r"^## (.*)$", page, flags=re.MULTILINE))
    kinds = get_args(get_args(Source)[0])
    assert len([title for title in titles if title.startswith("sources, type: ")]) == len(kinds)
    assert {"admit.text.language", "keep.image.clip", "fetch.resize", "dedup.image", "engine"} <= titles
    sections = {re.split(r"[,.]", title)[0] for title in titles}
    assert set(Recipe.model_fields) - sections == {"partition_num_docs"}
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert len(rows) > 80
    assert [row for row in rows if row.endswith("|  |")] == []


def test_the_schema_knows_keys_and_their_meaning() -> None:
    schema = json.loads(recipe_schema())
    assert schema["required"] == ["sources"]
    assert "MMC4" in schema["$defs"]["SizeConfig"]["properties"]["min"]["description"]
