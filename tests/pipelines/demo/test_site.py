from pathlib import Path

from PIL import Image

from pipelines.demo.documents import ImageRole
from pipelines.demo.faults import FaultKind, FaultRule, FaultyUrl, read_faults
from pipelines.demo.site import Site

BASE = "http://127.0.0.1:8907"


def test_whole_urls_stay_as_they_are(tmp_path: Path) -> None:
    site = Site(tmp_path, base_url=BASE)
    assert site.url("/a.jpg") == f"{BASE}/a.jpg"
    assert site.url("http://pictures.invalid/a.jpg") == "http://pictures.invalid/a.jpg"


def test_rules_reach_the_servers_file(tmp_path: Path) -> None:
    site = Site(tmp_path, base_url=BASE)
    site.busy("/busy.jpg")
    site.slow("/slow.jpg")
    assert site.moved("/old.jpg") == "/go/old.jpg"
    site.add_fault(FaultyUrl(path="/x.jpg", expected=("fetch.timeout",), rule=FaultRule(kind=FaultKind.HANG)))
    site.finish()
    kinds = {path: rule.kind for path, rule in read_faults(tmp_path).items()}
    assert kinds == {"/busy.jpg": "busy", "/slow.jpg": "slow", "/go/old.jpg": "redirect", "/x.jpg": "hang"}


def test_furniture_is_recognisable_by_name_size_or_shape(tmp_path: Path) -> None:
    site = Site(tmp_path, base_url=BASE)
    site.write_furniture()
    tokens = ("logo", "button", "icon", "plugin", "widget")
    for number in range(8):
        logo = site.logo(number)
        path = logo.url.removeprefix(BASE)
        with Image.open(site.root / path.lstrip("/")) as image:
            small = min(image.size) < 100
        assert logo.role is ImageRole.LOGO
        assert any(token in path for token in tokens) or small
        assert logo.expected[0] == ("image.size" if "brand" in path else "url.tokens")
    with Image.open(site.root / site.banner().url.removeprefix(f"{BASE}/")) as image:
        assert image.width > 2 * image.height
    assert "Disallow: /private/" in (site.root / "robots.txt").read_text()


def test_tracking_pixels_differ_by_query_only(tmp_path: Path) -> None:
    site = Site(tmp_path, base_url=BASE)
    one, other = site.pixel(1).url, site.pixel(2).url
    assert one != other
    assert one.split("?")[0] == other.split("?")[0]
    assert [image.role for image in site.boilerplate(1)] == [ImageRole.BOILERPLATE] * 4
