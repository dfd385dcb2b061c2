"""Formulas as text: once each, in the TeX of their author where the page carries it.

Programs that draw formulas leave two or three copies in the page: MathML for screen readers, a drawing made of spans or
an image, and a script or annotation with the source.
"""

import re

from selectolax.lexbor import LexborNode

_DRAWINGS = frozenset({"katex-html", "MathJax_Preview"})  # what stands beside the same formula in MathML or TeX
_DRAWN_BY_MATHJAX = frozenset({"MathJax", "MathJax_Display", "MathJax_SVG", "MathJax_CHTML", "mjx-chtml"})
_MAX_SIBLINGS = 3  # a drawing's script follows at once, white space aside
_MAX_MATH_NODES = 2_000
_STYLE = re.compile(r"\{\\(?:display|text|script)style\s+(.*)\}", re.DOTALL)
_MARKS = {"msup": "^", "mover": "^", "msub": "_", "munder": "_", "mfrac": "/"}


def read_formula(node: LexborNode, tag: str) -> str | None:
    """Return the text of a ``<math>`` element or of a script that holds TeX; null for any other element."""
    if tag == "math":
        return _read_math(node)
    if tag == "script" and (node.attributes.get("type") or "").lower().startswith("math/tex"):
        return _strip_style(node.text() or "")
    return None


def is_drawing(node: LexborNode, attrs: dict[str, str | None]) -> bool:
    """Tell whether an element only draws a formula that the page also holds as MathML or TeX."""
    names = (attrs.get("class") or "").split()
    if not names or (_DRAWINGS.isdisjoint(names) and _DRAWN_BY_MATHJAX.isdisjoint(names)):
        return False
    if "katex-html" in names:
        beside = node.prev
        return beside is not None and beside.is_element_node and beside.css_first("math") is not None
    following = node.next
    for _ in range(_MAX_SIBLINGS):
        if following is None:
            return False
        if following.tag == "script":
            return read_formula(following, "script") is not None
        following = following.next
    return False


def _read_math(node: LexborNode) -> str:
    for annotation in node.css("annotation")[:2]:
        if "tex" in (annotation.attributes.get("encoding") or "").lower():
            return _strip_style(annotation.text() or "")
    alternative = _strip_style(node.attributes.get("alttext") or "")
    return alternative or " ".join(_linear(node).split())


def _strip_style(tex: str) -> str:
    tex = tex.strip()
    match = _STYLE.fullmatch(tex)
    return match.group(1).strip() if match else tex


def _linear(math: LexborNode) -> str:
    """Return MathML on one line: ``x^2``, ``a/b``, each argument of more than one sign in parentheses."""
    pieces: list[str] = []
    for count, node in enumerate(math.traverse(include_text=True)):
        if count >= _MAX_MATH_NODES:
            break
        if not node.is_text_node:
            continue
        above = node.parent
        if above is not None and (above.tag or "").startswith("annotation"):
            continue
        pieces.append(_mark_before(above) + (node.text_content or "").strip())
    return "".join(pieces)


def _mark_before(token: LexborNode | None) -> str:
    """Return the sign that joins a token to the one before, as ``^`` for the second child of ``<msup>``."""
    if token is None or token.parent is None:
        return ""
    before = token.prev
    while before is not None and before.is_text_node:
        before = before.prev
    return _MARKS.get(token.parent.tag or "", "") if before is not None else ""
