import pytest

from curate.ingest.config import PairsSource
from curate.ingest.formats.picture_addresses import picture_address


@pytest.mark.parametrize(
    ("raw", "root", "expected"),
    [
        (" a.jpg ", None, "https://p.org/x/a.jpg"),
        ("a.jpg", "http://h/coco/", "http://h/coco/a.jpg"),
        ("/a b.jpg", "http://h/coco", "http://h/coco/a%20b.jpg"),
        (" /a b.jpg", "pictures", "/a b.jpg"),
        ("http://i.org/a b.jpg", "http://h", "http://i.org/a%20b.jpg"),
        ("//i.org/a.jpg", "http://h", "https://i.org/a.jpg"),
        ("file:///a.jpg", "http://h", "file:///a.jpg"),
        ("http://i.org/a.jpg", "s3://bucket/a", "http://i.org/a.jpg"),
    ],
)
def test_a_declared_root_goes_before_the_page(raw: str, root: str | None, expected: str) -> None:
    source = PairsSource(name="s", path="a", image_root=root)
    assert picture_address(raw, page="https://p.org/x/", source=source) == expected
