import pytest

from curate.ingest.html.inline_pictures import picture_text


@pytest.mark.parametrize(
    "attrs",
    [
        {"class": "emoji", "alt": " 🙂 "},
        {"class": "wp-smiley", "alt": "🙂"},
        {"src": "/images/smilies/3.gif", "alt": "🙂"},
        {"src": "https://c.org/emoji/72x72/1f642.png", "alt": "🙂"},
        {"src": "a.png", "alt": "🙂"},
    ],
)
def test_sign(attrs: dict[str, str | None]) -> None:
    assert picture_text(attrs) == "🙂"


def test_smiley_by_its_height() -> None:
    assert picture_text({"src": "1.gif", "alt": ":-)", "height": "15"}) == ":-)"
    assert picture_text({"src": "1.gif", "alt": "up", "height": "15"}) is None
    assert picture_text({"src": "1.gif", "alt": ":-)", "height": "300"}) is None


@pytest.mark.parametrize(
    "attrs",
    [
        {},
        {"class": "emoji"},
        {"src": "cat.jpg", "alt": "A cat"},
        {"src": "cat.jpg", "alt": "A cat 🙂"},
        {"src": "data:image/png;base64,latex/emoji", "alt": "A cat"},
        {"class": "tex", "alt": "x", "aria-hidden": "true"},
    ],
)
def test_picture_in_its_own_right(attrs: dict[str, str | None]) -> None:
    assert picture_text(attrs) is None
