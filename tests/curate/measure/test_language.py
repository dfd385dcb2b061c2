import pytest

from curate.measure.language import NUM_CHARS_READ, identify_language


@pytest.mark.parametrize(
    ("text", "lang"),
    [
        ("The cat sat on the mat and looked out of the window.", "en"),
        ("Le chat est assis sur le tapis et regarde par la fenêtre.", "fr"),
        ("Die Katze sitzt auf dem Teppich und schaut aus dem Fenster.", "de"),
        ("中国的首都是北京。", "zh"),
        ("猫はマットの上に座って窓の外を見ていました。", "ja"),
    ],
)
def test_languages_are_told_apart(text: str, lang: str) -> None:
    found, probability = identify_language(text)
    assert found == lang
    assert probability is not None
    assert 0.65 <= probability <= 1.0


@pytest.mark.parametrize("text", ["", "   ", "2024-01-01", "!!! 👍"])
def test_text_without_a_letter_has_no_language(text: str) -> None:
    assert identify_language(text) == (None, None)


def test_capitals_and_titles_are_read_as_lower_case() -> None:
    text = "the cat sat on the mat"
    assert identify_language(text.upper()) == identify_language(text.title()) == identify_language(text)


def test_line_breaks_do_not_matter() -> None:
    assert identify_language("The cat\nsat on\r\n\tthe mat.") == identify_language("The cat sat on the mat.")


def test_text_beyond_eighty_characters_is_read() -> None:
    text = "12345 " * 20 + "The cat sat on the mat and looked out of the window."
    assert identify_language(text)[0] == "en"


def test_text_beyond_the_limit_is_not_read() -> None:
    text = "The cat sat on the mat. " * 100
    assert identify_language(text[:NUM_CHARS_READ]) == identify_language(text + "Le chat est assis sur le tapis.")
