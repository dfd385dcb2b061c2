import random

import pytest

from pipelines.demo.foreign import LANGUAGES, aside_in, describe_in
from pipelines.demo.scenes import sample_scene
from tests.pipelines.demo.language import identify


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_sentence_is_of_its_language(lang: str) -> None:
    rng = random.Random(0)
    texts = [describe_in(lang, sample_scene(rng)) for _ in range(100)] + [aside_in(lang, rng) for _ in range(20)]
    assert {identify(text)[0] for text in texts} == {lang}
    assert not any("{" in text for text in texts)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_sentence_can_be_written_in_the_legacy_charset(lang: str) -> None:
    rng = random.Random(1)
    language = LANGUAGES[lang]
    texts = [describe_in(lang, sample_scene(rng)) for _ in range(200)] + [*language.asides, language.title]
    for text in texts:
        assert text.encode(language.charset).decode(language.charset) == text
