from selectolax.lexbor import LexborHTMLParser

from curate.ingest.html.outline import (
    MAX_NODES,
    Element,
    Nodes,
    build_outline,
    live_elements,
    text_before,
)


def _outline(html: str) -> Nodes:
    body = LexborHTMLParser(html).body
    assert body is not None
    return build_outline(body)


def _tags(nodes: Nodes) -> list[str]:
    return [node if isinstance(node, str) else node.tag for node in nodes]


def test_nodes_stand_in_document_order_with_their_ends() -> None:
    nodes = _outline("<div>a<p>b</p></div><i>c</i>")
    assert _tags(nodes) == ["body", "div", "a", "p", "b", "i", "c"]
    elements = [node for node in nodes if isinstance(node, Element)]
    assert [(element.tag, element.parent, element.end) for element in elements] == [
        ("body", -1, 7),
        ("div", 0, 5),
        ("p", 1, 5),
        ("i", 0, 7),
    ]


def test_scripts_comments_and_the_like_are_not_listed() -> None:
    nodes = _outline("<script>a</script><!-- b --><template><p>c</template><svg><text>d</svg><noscript>e</noscript>f")
    assert _tags(nodes) == ["body", "f"]
    assert _tags(_outline("")) == ["body"]


def test_noscript_is_its_images_alone() -> None:
    nodes = _outline("<body><noscript>Turn on <p><img src=a.png><img src=b.png></p></noscript>c")
    assert _tags(nodes) == ["body", "noscript", "img", "img", "c"]
    assert [node.end for node in nodes if isinstance(node, Element)] == [5, 4, 3, 4]


def test_button_is_its_images_alone() -> None:
    assert _tags(_outline("a<button>Zoom <img src=a.png></button><button>b</button>")) == ["body", "a", "button", "img"]


def test_formulas_and_pictures_of_letters_are_texts() -> None:
    assert _tags(_outline("a<math><mi>x</mi></math><img class=emoji alt=y src=e.png>")) == ["body", "a", "x", "y"]
    assert _tags(_outline("<body><script type=math/tex>z</script>")) == ["body", "z"]


def test_attributes_are_stripped_and_never_null() -> None:
    element = _outline("<p hidden class=' a '>")[1]
    assert isinstance(element, Element)
    assert (element.get("class"), element.get("hidden"), element.get("id")) == ("a", "", "")
    assert "hidden" in element.attrs


def test_ten_thousand_levels_need_no_recursion() -> None:
    nodes = _outline("<div>" * 10_000 + "x")
    assert len(nodes) == 10_002
    assert all(node.end == 10_002 for node in nodes if isinstance(node, Element))


def test_number_of_nodes_is_bounded() -> None:
    nodes = _outline("<div>" + "<br>" * (MAX_NODES + 10))
    assert len(nodes) == MAX_NODES
    top = nodes[0]
    assert isinstance(top, Element)
    assert top.end == MAX_NODES


def test_live_elements_jump_over_what_is_dropped_even_meanwhile() -> None:
    nodes = _outline("<div><p>a</div><ul><li>b</ul>")
    assert [element.tag for _, element in live_elements(nodes, {1})] == ["body", "ul", "li"]
    dropped: set[int] = set()
    seen = []
    for index, element in live_elements(nodes, dropped):
        seen.append(element.tag)
        if element.tag == "div":
            dropped.add(index)
    assert seen == ["body", "div", "ul", "li"]
    assert [element.tag for _, element in live_elements(nodes, set(), root=4, tags={"li"})] == ["li"]


def test_running_text_leaves_out_links_white_space_and_dropped_parts() -> None:
    nodes = _outline("<p> ab </p><a href=x>link <b>text</b></a><div>dropped</div>c")
    dropped = {i for i, node in enumerate(nodes) if isinstance(node, Element) and node.tag == "div"}
    sums = text_before(nodes, dropped)
    assert len(sums) == len(nodes) + 1
    assert sums[-1] == 3
