"""A small recipe in Python, for tests of what recipes may say."""

from pipelines.recipes.recipe import Recipe

PAIRS = {"name": "coyo", "type": "pairs", "path": "coyo.csv"}
LOOPBACK = {"allow_private": ["127.0.0.1"]}


def recipe(**sections: object) -> Recipe:
    """Return a recipe of one source of pairs with some sections of its own."""
    return Recipe.model_validate({"sources": [PAIRS], "fetch": LOOPBACK} | sections)
