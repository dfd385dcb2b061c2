import random
import re

from curate.contract.reasons import Kind
from pipelines.demo.documents import ImageRole, WorldDocument, WorldImage, WorldSource
from pipelines.demo.pages import BOILERPLATE_SENTENCES, render_page

BASE = "http://127.0.0.1:8907"


def page(lang: str = "en", sentence: str = "A red <star> & more.") -> WorldDocument:
    image = WorldImage(url=f"{BASE}/images/a.jpg", role=ImageRole.SCENE, alt='a "star"', sentence=sentence)
    boilerplate = tuple(WorldImage(url=f"{BASE}/f{n}.png?a=1&b=2", role=ImageRole.BOILERPLATE) for n in range(4))
    return WorldDocument(
        source=WorldSource.PAGES,
        kind=Kind.INTERLEAVED,
        url=f"{BASE}/pages/0.html",
        lang=lang,
        title="Stars",
        blocks=("First.", image, sentence, "Last."),
        boilerplate=boilerplate,
    )


def test_the_article_stands_within_boilerplate() -> None:
    for seed in range(20):
        text = render_page(page(), random.Random(seed), base_url=BASE).decode()
        article = re.search(r"<(main|article)>.*</(main|article)>", text, re.DOTALL)
        assert article is not None
        assert "A red &lt;star&gt; &amp; more." in article[0]
        assert "images/a.jpg" in article[0]
        assert not any(sentence in article[0] or sentence not in text for sentence in BOILERPLATE_SENTENCES)
        assert "f3.png?a=1&amp;b=2" in text.replace(article[0], "")


def test_images_are_named_in_three_forms_and_sentences_become_captions() -> None:
    texts = [render_page(page(), random.Random(seed), base_url=BASE).decode() for seed in range(60)]
    forms = {match[1] for text in texts if (match := re.search(r'src="([^"]*images/a.jpg)"', text))}
    assert forms == {f"{BASE}/images/a.jpg", "/images/a.jpg", "../images/a.jpg"}
    assert any("<figcaption>" in text for text in texts)
    assert any("<figcaption>" not in text for text in texts)


def test_foreign_pages_say_which_encoding_they_are_in() -> None:
    document = page("ja", "この絵には円が描かれています。")
    bodies = [render_page(document, random.Random(seed), base_url=BASE) for seed in range(20)]
    charsets = {re.search(rb'charset="([^"]+)"', body)[1].decode() for body in bodies}  # type: ignore[index]
    assert charsets == {"utf-8", "shift_jis"}
    for body in bodies:
        charset = re.search(rb'charset="([^"]+)"', body)[1].decode()  # type: ignore[index]
        assert "この絵には円が描かれています。" in body.decode(charset)
