"""HTML pages: an article within the boilerplate that the web puts around articles."""

import html
import random

from pipelines.demo.documents import WorldDocument, WorldImage
from pipelines.demo.foreign import LANGUAGES

SHARE_FIGCAPTION = 0.3
"""Of describing paragraphs right behind their picture that become its caption."""
SHARE_LEGACY_CHARSET = 0.5
"""Of pages not in English that are written in an older encoding, announced by their meta element."""
BOILERPLATE_SENTENCES = (
    "Home of the little picture school and its friends",
    "Subscribe to our newsletter and never miss a lesson again",
    "All rights reserved by the little picture school",
)
"""Text of header, sidebar and footer: none of it belongs to an article."""
_ARTICLE_TAGS = (("<main><article>", "</article></main>"), ("<main>", "</main>"), ("<article>", "</article>"))

_PAGE = """<!doctype html>
<html lang="{lang}">
<head><meta charset="{charset}"><title>{title} | Picture school</title>
<style>nav a {{ margin: 1em }}</style><script>window.visits = 1;</script></head>
<body>
<header><a href="/"><img src="{logo}" alt="our logo" width="240" height="200"></a><p>{header}</p></header>
<nav><ul><li><a href="/">Home</a></li><li><a href="/pages/">Lessons</a></li>
<li><a href="/about">About</a></li></ul></nav>
{opening}
{article}
{closing}
<aside><h2>Advertisement</h2><img src="{promotion}" alt="Promotion" width="300" height="250"><p>{aside}</p></aside>
<footer><a href="/contact"><img src="{mail}" alt="mail" width="64" height="64"></a><p>{footer}</p>
<img src="{pixel}" alt="" width="1" height="1"></footer>
</body>
</html>
"""


def render_page(document: WorldDocument, rng: random.Random, *, base_url: str) -> bytes:
    """Return the page as the server sends it.

    Args:
        document: With the four images of ``Site.boilerplate``, or none for a page without article furniture.
        rng: Decides on markup only: wrappers, captions, forms of URLs, encoding.
        base_url: Own images are named by relative URLs as often as by absolute ones.
    """
    opening, closing = rng.choice(_ARTICLE_TAGS)
    boilerplate = [html.escape(image.url) for image in document.boilerplate] or ["/assets/site-logo.png"] * 4
    header, aside, footer = BOILERPLATE_SENTENCES
    charset = _charset(document.lang, rng)
    page = _PAGE.format(
        lang=document.lang,
        charset=charset,
        title=html.escape(document.title),
        logo=boilerplate[0],
        promotion=boilerplate[1],
        mail=boilerplate[2],
        pixel=boilerplate[3],
        header=header,
        aside=aside,
        footer=footer,
        opening=opening,
        closing=closing,
        article=_render_article(document, rng, base_url=base_url),
    )
    return page.encode(charset)


def _charset(lang: str, rng: random.Random) -> str:
    legacy = rng.random() < SHARE_LEGACY_CHARSET
    return LANGUAGES[lang].charset if legacy and lang in LANGUAGES else "utf-8"


def _render_article(document: WorldDocument, rng: random.Random, *, base_url: str) -> str:
    lines = [f"<h1>{html.escape(document.title)}</h1>"] if document.title else []
    blocks = list(document.blocks)
    while blocks:
        block = blocks.pop(0)
        if isinstance(block, str):
            lines.append(f"<p>{html.escape(block)}</p>")
            continue
        image = _render_image(block, rng, base_url=base_url)
        if block.sentence is not None and blocks[:1] == [block.sentence] and rng.random() < SHARE_FIGCAPTION:
            caption = html.escape(block.sentence)
            lines.append(f"<figure>{image}<figcaption>{caption}</figcaption></figure>")
            blocks.pop(0)
        else:
            lines.append(rng.choice(("<p>{}</p>", "{}", "<figure>{}</figure>", "<div>{}</div>")).format(image))
    return "\n".join(lines)


def _render_image(image: WorldImage, rng: random.Random, *, base_url: str) -> str:
    url = image.url
    if url.startswith(f"{base_url}/"):
        path = url.removeprefix(base_url)
        # All pages stand one folder below the root, and so does what their redirects lead to.
        url = rng.choice((url, path, f"..{path}"))
    return f'<img src="{html.escape(url)}" alt="{html.escape(image.alt)}">'
