from typing import Any

from pipelines.recipes.recipe import Recipe
from pipelines.write.card_facts import SIGNALS, collection_facts


def _recipe(**sections: Any) -> Recipe:
    sources = [{"name": "web", "type": "pages", "path": "pages.txt"}]
    fetch = {"contact": "mailto:a@b.org", **sections.pop("fetch", {})}
    return Recipe.model_validate({"sources": sources, "fetch": fetch, **sections})


def test_switches_become_signals() -> None:
    facts = collection_facts(_recipe(fetch={"respect_x_robots": False}))
    assert SIGNALS["respect_robots"] in facts.honoured
    assert list(facts.ignored) == [SIGNALS["respect_x_robots"]]
    assert facts.user_agent is not None
    assert facts.user_agent.endswith("(+mailto:a@b.org)")


def test_images_and_model() -> None:
    plain = collection_facts(_recipe(fetch={"resize": None}))
    assert (plain.image_processing, plain.clip_model) == ("kept at their size", None)
    scored = collection_facts(_recipe(clip={"model": "ViT-L-14", "pretrained": "openai"}))
    assert scored.clip_model == "ViT-L-14 (openai)"
    of_a_folder = collection_facts(_recipe(clip={"model": "tiny"}))
    assert of_a_folder.clip_model == "tiny"
    assert scored.image_processing == "scaled to a shorter side of 384 px where it was longer"
