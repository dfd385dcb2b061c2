import pytest

from curate.ingest.html.image_urls import choose_image_url, parse_srcset
from curate.ingest.html.outline import Element


def _img(**attrs: str) -> Element:
    return Element(tag="img", attrs={name.replace("_", "-"): value for name, value in attrs.items()}, parent=0)


@pytest.mark.parametrize(
    ("srcset", "candidates"),
    [
        ("", []),
        (" , ", []),
        ("a.png", [("a.png", None)]),
        ("a.png, b.png 2x", [("a.png", None), ("b.png", None)]),
        ("a.png 300w,b.png 600w", [("a.png", 300), ("b.png", 600)]),
        ("/w_300,h_200/a.png 300w, b,c.png 600w", [("/w_300,h_200/a.png", 300), ("b,c.png", 600)]),
        ("a.png 300w 200h ,\n b.png", [("a.png", 300), ("b.png", None)]),
        ("a.png -5w, b.png xw, c.png 99999999999w", [("a.png", None), ("b.png", None), ("c.png", None)]),
        ("data:image/png;base64,AA 1x", [("data:image/png;base64,AA", None)]),
    ],
)
def test_parse_srcset(srcset: str, candidates: list[tuple[str, int | None]]) -> None:
    assert parse_srcset(srcset) == candidates


def test_parse_srcset_takes_linear_time() -> None:
    assert parse_srcset("," * 200_000 + " x" * 200_000 + "," * 200_000) == [("x", None)]


@pytest.mark.parametrize(
    ("image", "url"),
    [
        (_img(src="a.png"), "a.png"),
        (_img(src="blur.jpg", data_src="full.jpg"), "full.jpg"),
        (_img(src="a.png", data_src="17"), "a.png"),
        (_img(src="data:image/gif;base64,R0", data_srcset="a.png 1x"), "a.png"),
        (_img(src="a.png", srcset="s.png 300w, m.png 1200w, l.png 4000w"), "m.png"),
        (_img(src="a.png", srcset="s.png 300w, m.png 800w"), "m.png"),
        (_img(src="a.png", srcset="b.png 2x"), "a.png"),
        (_img(srcset="b.png 1x"), "b.png"),
        (_img(src="data:image/gif;base64,R0"), None),
        (_img(src="javascript:void(0)"), None),
        (_img(src="a.png", srcset="s.png 100w, h.png 6000w"), "h.png"),
        (_img(src="a.png", srcset="m.png 700w, h.png 6000w"), "m.png"),
        (_img(data_full="/i/a.jpg?w=9", data_id="17"), "/i/a.jpg?w=9"),
        (_img(src="/s/spacer.gif", data_hi="//c.org/a.webp"), "//c.org/a.webp"),
        (_img(src="/s/loading.gif", data_sizes="s.jpg 300w, m.jpg 1100w"), "m.jpg"),
        (_img(src="/s/blank.gif"), "/s/blank.gif"),
        (_img(src="/s/loading.gif", data_label="a.jpg and b.jpg"), "/s/loading.gif"),
        (_img(src="p.gif", width="1", data_hires="/c.jpg"), "/c.jpg"),
        (_img(src="p.gif", width="1", height="1"), "p.gif"),
        (_img(src="#", data_url="page.html"), None),
        (_img(src="a.png", data_other="b.png"), "a.png"),
        (_img(alt="a.png", title="b.png"), None),
        (_img(src="  "), None),
        (_img(alt="x"), None),
    ],
)
def test_choose(image: Element, url: str | None) -> None:
    assert choose_image_url(image) == url


def test_sources_of_a_picture_count_if_wide_enough_common_formats_first() -> None:
    sources = [_img(srcset="a.avif", type="image/avif"), _img(srcset="a.webp 400w, b.webp 1600w", type="image/webp")]
    assert choose_image_url(_img(src="data:,"), sources=sources) == "b.webp"
    assert choose_image_url(_img(src="a.png"), sources=sources) == "b.webp"
    assert choose_image_url(_img(src="a.png"), sources=[_img(srcset="b.webp")]) == "a.png"
    narrow = _img(srcset="crop.jpg 1200w", media="(max-width: 600px)")
    assert choose_image_url(_img(src="a.png"), sources=[narrow, _img(srcset="whole.jpg 1100w")]) == "whole.jpg"
    assert choose_image_url(_img(), sources=sources[:1]) == "a.avif"
