import random

from pipelines.demo.scenes import Figure, Scene, sample_scene
from pipelines.demo.sentences import alt_text, aside, describe, title
from tests.pipelines.demo.language import identify


def test_a_description_names_everything_and_has_ten_words() -> None:
    rng = random.Random(0)
    for _ in range(300):
        scene = sample_scene(rng)
        sentence = describe(scene, rng)
        assert len(sentence.split()) >= 10
        for figure in scene.figures:
            assert f"{figure.colour} {figure.shape}" in sentence
        assert f"{scene.pattern} {scene.ground}" in sentence


def test_single_sentences_are_english_to_the_pipelines_model() -> None:
    rng = random.Random(1)
    texts = [describe(sample_scene(rng), rng) for _ in range(400)] + [aside(rng) for _ in range(200)]
    found = [identify(text) for text in texts]
    assert {lang for lang, _ in found} == {"en"}
    assert min(probability for _, probability in found) >= 0.65


def test_articles_fit_their_nouns() -> None:
    scene = Scene("plain", "blue", (Figure("orange", "star"), Figure("red", "star")), "above")
    sentence = describe(scene, random.Random(2))
    assert (
        "an orange star above a red star" in sentence
        or "an orange star placed above a red star" in sentence
        or ("an orange star, which was painted above a red star" in sentence)
    )


def test_alt_texts_describe_or_say_nothing() -> None:
    rng = random.Random(3)
    scene = Scene("plain", "blue", (Figure("red", "star"),), None)
    alts = {alt_text(scene, rng) for _ in range(100)}
    assert {"", "a red star on blue"} <= alts


def test_titles_and_asides_leave_no_slot_open() -> None:
    rng = random.Random(4)
    assert not any("{" in text for text in (*[aside(rng) for _ in range(50)], *[title(rng) for _ in range(50)]))
