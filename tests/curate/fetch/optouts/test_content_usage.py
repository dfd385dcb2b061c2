import pytest

from curate.fetch.optouts.content_usage import parse_usage_rules, reserves_training, usage_for

DRAFT = """User-Agent: *
Allow: /
Disallow: /never/
Content-Usage: train-ai=n
Content-Usage: /ai-ok/ train-ai=y
content-usage : /ai-ok/*.jpg$ train-ai=n # a comment

User-Agent: ExampleBot
Content-Usage: train-ai=y
"""


@pytest.mark.parametrize(
    ("preference", "expected"),
    [
        ("train-ai=n", True),
        ("search=y, train-ai=n", True),
        ("train-ai=n;x=1, search=y", True),
        ("bots=n", True),
        ("all=n, train-ai=y", False),
        ("train-ai=y", False),
        ("train-ai=y, train-ai=n", True),
        ("train-ai=n, train-ai=y", False),
        ("search=n", False),
        ("train-ai", False),
        ("train-ai=?0", False),
        ("train-ai=maybe", False),
        ("", False),
        (",,=;", False),
    ],
)
def test_reserves_training(preference: str, expected: bool) -> None:  # noqa: FBT001 a table's column
    assert reserves_training(preference) is expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/test", "train-ai=n"), ("/ai-ok/test", "train-ai=y"), ("/ai-ok/a.jpg", "train-ai=n")],
)
def test_the_longest_path_counts(path: str, expected: str) -> None:
    assert usage_for(parse_usage_rules(DRAFT), path) == expected


def test_our_own_group_counts_alone() -> None:
    ours = DRAFT + "\nUser-agent: other\nUser-agent: Vila-Curate\nDisallow: /x\nContent-Usage: search=n\n"
    assert usage_for(parse_usage_rules(ours), "/test") == "search=n"
    silent = DRAFT + "\nUser-agent: vila-curate\nDisallow: /x\n"
    assert usage_for(parse_usage_rules(silent), "/test") == ""


def test_of_contradicting_rules_the_stricter_is_seen() -> None:
    for text in (
        "Content-Usage: train-ai=n\nContent-Usage: train-ai=y",
        "Content-Usage: train-ai=y\nContent-Usage: train-ai=n",
    ):
        assert reserves_training(usage_for(parse_usage_rules("User-agent: *\n" + text), "/"))


@pytest.mark.parametrize("text", ["", "Content-Usage:", "<html>", "User-agent: x\nContent-Usage: train-ai=n"])
def test_files_without_rules_for_us(text: str) -> None:
    assert usage_for(parse_usage_rules(text), "/") == ""
