import pytest

from curate.measure.words import count_words, has_letter


@pytest.mark.parametrize(
    ("text", "num_words"),
    [
        ("", 0),
        (" \n\t", 0),
        ("...—!", 0),
        ("👍 🎉", 0),
        ("A red circle.", 3),
        ("don't stop well-known", 3),
        ("a - b", 2),
        ("l\u2019\u00e9t\u00e9", 1),
        ("3 cats", 2),
        ("नमस्ते दुनिया", 2),
        ("안녕하세요 세계", 2),
        ("кошка и собака", 3),
    ],
)
def test_words_of_scripts_with_spaces(text: str, num_words: int) -> None:
    assert count_words(text) == num_words


@pytest.mark.parametrize(
    ("text", "num_words"),
    [
        ("猫", 1),
        ("你好", 1),
        ("你好吗", 2),
        ("カメラ", 2),
        ("ภาษาไทยง่ายมาก", 4),  # 13 letters, one tone mark
        ("๑๒๓", 1),
        ("日本語のテキスト text", 5),
        ("iPhoneを買う", 3),
    ],
)
def test_words_of_scripts_without_spaces(text: str, num_words: int) -> None:
    assert count_words(text) == num_words


def test_ascii_text_is_counted_by_the_same_rule() -> None:
    text = "It's a well-known fact: snake_case, 3.5 and e-mail - all 'quoted'."
    assert count_words(text) == count_words(text + " é") - 1


@pytest.mark.parametrize("text", ["4 x", "猫", "ñ", "ก"])
def test_letters_of_any_script(text: str) -> None:
    assert has_letter(text)


@pytest.mark.parametrize("text", ["", "123 !?", "👍", "_"])
def test_no_letters(text: str) -> None:
    assert not has_letter(text)
