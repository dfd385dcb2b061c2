import pytest

from curate.ingest.html.page import parse_page

_MATH = "<msup><mi>x</mi><mn>2</mn></msup>"
_TEX = f"<math><semantics>{_MATH}<annotation encoding='application/x-tex'>x^2</annotation></semantics></math>"
_KATEX = f"<span class=katex-mathml>{_TEX}</span><span class=katex-html aria-hidden=true>x2</span>"
_WIKI = (
    f"<span class='mwe-math-mathml-inline' style='display: none;'>{_TEX}</span>"
    "<img class='mwe-math-fallback-image-inline' aria-hidden=true alt='x^2' src=m.svg>"
)
_DRAWN = "<span class=MathJax_Preview>x2</span><span class=MathJax><nobr>x2</nobr></span>"
_ASSISTED = f"<mjx-math aria-hidden=true><i>x2</i></mjx-math><mjx-assistive-mml>{_TEX}</mjx-assistive-mml>"


@pytest.mark.parametrize(
    "formula",
    [
        f"<math>{_MATH}</math>",
        "<math alttext='{\\displaystyle x^2}'><mi>no</mi></math>",
        _TEX,
        f"<span class=katex>{_KATEX}</span>",
        _WIKI,
        "<img class=tex alt='x^2' src=m.png>",
        f"{_DRAWN}<script type='math/tex'>x^2</script>",
        f"<mjx-container>{_ASSISTED}</mjx-container>",
    ],
)
def test_formula_stands_once_in_its_sentence(formula: str) -> None:
    html = f"<p>The area is {formula} square units, as anyone can see who measures the sides of the field.</p>"
    (item,) = parse_page(html.encode(), url="http://a/", charset="utf-8")
    assert item.text == "The area is x^2 square units, as anyone can see who measures the sides of the field."


def test_fractions_and_indices_on_one_line() -> None:
    html = "<p><math><mfrac><mi>a</mi><mi>b</mi></mfrac><mo>=</mo><msub><mi>c</mi><mn>1</mn></msub></math></p>"
    assert [item.text for item in parse_page(html.encode(), url="http://a/", charset=None)] == ["a/b=c_1"]


def test_drawing_without_a_copy_stays() -> None:
    html = b"<p>a <span class=MathJax>x2</span> b <span class=katex-html>y</span></p>"
    assert [item.text for item in parse_page(html, url="http://a/", charset=None)] == ["a x2 b y"]
