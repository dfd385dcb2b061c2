from curate.contract.reasons import Stage
from pipelines.recipes.load import parse_recipe
from pipelines.road import ROAD, measuring_stages, stages_for
from tests.pipelines.corpus import CLIP, SOURCES

PAGES = SOURCES.replace("sources:", "sources:\n  - {name: pages, type: pages, path: pages.txt}")


def names(text: str, source: int) -> tuple[list[str], list[str]]:
    recipe = parse_recipe(text)
    before, after = measuring_stages(recipe, recipe.sources[source])
    return [spec.stage for spec in before], [spec.stage for spec in after]


def test_the_road_names_each_stage_once_in_the_order_of_stages() -> None:
    stages = [spec.stage for spec in ROAD]
    parts_of_decide = {Stage.ADMIT, Stage.KEEP, Stage.DEDUP}
    assert stages == [stage for stage in Stage if stage not in parts_of_decide]


def test_pages_are_fetched_and_parsed_and_other_sources_are_not() -> None:
    images = ["fetch_images", "measure_images", "gather_facts"]
    assert names(PAGES, 0) == (["fetch_pages", "parse_pages", "measure_text", *images], [])
    assert names(PAGES, 1) == (["measure_text", *images], [])


def test_scores_need_a_clip_section() -> None:
    assert names(SOURCES + CLIP, 0)[0][-2:] == ["measure_clip", "gather_facts"]


def test_a_rule_that_counts_urls_makes_a_barrier_before_images() -> None:
    before, after = names(PAGES + CLIP + "admit: {url.frequency: {max: 3}}\n", 0)
    assert before == ["fetch_pages", "parse_pages", "measure_text"]
    assert after == ["fetch_images", "measure_images", "measure_clip", "gather_facts"]


def test_copies_are_looked_for_where_the_recipe_asks() -> None:
    proposed = []
    for more in ("", "dedup: {}\n"):
        recipe = parse_recipe(SOURCES + more)
        proposed.append(Stage.PROPOSE in [spec.stage for spec in stages_for(recipe, recipe.sources[0])])
    assert proposed == [False, True]


def test_tokens_are_counted_where_a_tokenizer_is_named() -> None:
    counted = []
    for more in ("", "blend: {tokenizer: folder}\n"):
        recipe = parse_recipe(SOURCES + more)
        counted.append(Stage.COUNT_TOKENS in [spec.stage for spec in stages_for(recipe, recipe.sources[0])])
    assert counted == [False, True]
