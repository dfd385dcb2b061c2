import pytest
from selectolax.lexbor import LexborHTMLParser

from curate.ingest.html.boilerplate import find_boilerplate
from curate.ingest.html.outline import build_outline

_PROSE = "<p>" + "The prose of this article is long enough to matter. " * 4 + "</p>"


def _live(html: str) -> str:
    """Return the text that is left when the boilerplate has gone."""
    body = LexborHTMLParser(html).body
    assert body is not None
    nodes = build_outline(body)
    dropped = find_boilerplate(nodes)
    live = []
    index = 0
    while index < len(nodes):
        node = nodes[index]
        if isinstance(node, str):
            live.append(node.strip())
        elif index in dropped:
            index = node.end
            continue
        index += 1
    return " ".join(filter(None, live))


@pytest.mark.parametrize(
    "boilerplate",
    [
        "<nav>x</nav>",
        "<aside>x</aside>",
        "<footer>x</footer>",
        "<header>x</header>",
        "<header><h1>x</h1></header>",
        "<form>x</form>",
        '<div role="navigation">x</div>',
        '<div role="Search">x</div>',
        '<div class="sidebar">x</div>',
        '<div class="left-sidebar col-3">x</div>',
        '<div class="cookieBanner">x</div>',
        '<div id="newsletter_signup">x</div>',
        '<ul class="post__share--top"><li>x</ul>',
        '<a class="share-button" href="/">x</a>',
        '<div id="header">x</div>',
        "<p hidden>x</p>",
        '<p aria-hidden="true">x</p>',
        '<p style="color:red; Display : none">x</p>',
        '<section id="comments"><article>x</article></section>',
        '<div class="byline">x</div>',
        '<ol class="commentlist"><li class="comment-body">x</ol>',
        '<div id="comment-box">x</div>',
        '<img aria-hidden="true" alt="x" src="a.png">',
        "<nav><main>x</main></nav>",
    ],
)
def test_boilerplate_goes(boilerplate: str) -> None:
    assert _live(f"{boilerplate}<div>{_PROSE}</div>") == _live(_PROSE)


@pytest.mark.parametrize(
    "content",
    [
        '<div class="shareholder">x</div>',  # part of a word
        '<div class="has-sidebar">x</div>',  # a state
        '<div class="comments-open">x</div>',
        '<div class="post-and-comments"><h1>x</h1>' + _PROSE * 2 + "</div>",
        '<span class="comment">x</span>',
        '<div class="tone-comment">x</div>',
        '<h2 id="related-work">x</h2>',  # a topic
        '<section id="cookies">x</section>',
        '<span class="menu">x</span>',
        '<div class="header">' + _PROSE + "x</div>",
        '<p style="color: red">x</p>',
        "<article><header><h1>x</h1></header></article>",
        "<header>Site</header><div><header><h1>x</h1></header></div>",
        '<div class="builder-widget">x</div>',
    ],
)
def test_content_stays(content: str) -> None:
    assert "x" in _live(f"{content}{_PROSE}").split()


def test_header_of_an_article_goes_if_it_has_no_title() -> None:
    assert "byline" not in _live(f"<article><header>byline</header>{_PROSE}</article>")


@pytest.mark.parametrize("around", ['<form id="aspnetForm">', '<div class="menu-page">', '<div style="display:none">'])
def test_what_holds_most_of_the_text_stays(around: str) -> None:
    assert "prose" in _live(f"{around}{_PROSE}{_PROSE}</div></form><p>other text</p>")


def test_what_holds_the_main_element_stays() -> None:
    assert "short" in _live(f'<div class="promo-layout"><main>short</main></div><div>{_PROSE}</div>')


def test_long_comments_go_all_the_same() -> None:
    assert _live(f'<p>An article.</p><div id="comments">{_PROSE * 5}</div>') == "An article."


def test_if_nearly_everything_looks_like_boilerplate_the_signs_are_not_believed() -> None:
    parts = "".join(f'<div class="ad-free promo">{_PROSE}</div>' for _ in range(4))
    assert _live(f"<nav>x</nav>{parts}<p>end</p>").count("article") == 16


def test_body_itself_is_never_dropped() -> None:
    assert _live('<body class="menu sidebar" hidden>x') == "x"
    assert _live("") == ""
