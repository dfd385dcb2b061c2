import pytest
from pydantic import ValidationError

from curate.fetch.config import FetchConfig, ResizeConfig, user_agent


def test_options_as_a_recipe_spells_them() -> None:
    config = FetchConfig.model_validate(
        {
            "max_bytes": "20MB",
            "resize": {"shorter_side": 256},
            "contact": None,
            "allow_private": ["127.0.0.1", "box.lan"],
        }
    )
    assert config.max_bytes == 20_000_000
    assert config.resize == ResizeConfig(shorter_side=256, only_if_larger=True)
    assert config.allow_private == ("127.0.0.1", "box.lan")
    assert FetchConfig.model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize(
    "options",
    [
        {"concurrency": 0},
        {"per_host": 0},
        {"timeout_s": 0},
        {"retries": -1},
        {"max_bytes": "much"},
        {"resize": {"shorter_side": 0}},
        {"allow_private": ["127.0.0.1/8"]},
        {"allow_private": ["http://localhost"]},
        {"contact": "me (at home)"},
        {"contact": "a\r\nX-Evil: 1"},
        {"contact": ""},
        {"per_hosts": 3},
    ],
    ids=str,
)
def test_bad_options(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as caught:
        FetchConfig.model_validate(options)
    assert caught.value.errors()[0]["loc"][0] == next(iter(options))


def test_the_user_agent_names_the_product_and_the_contact() -> None:
    assert user_agent(FetchConfig()).startswith("vila-curate/")
    assert user_agent(FetchConfig(contact="https://example.org/bot")).endswith(" (+https://example.org/bot)")
