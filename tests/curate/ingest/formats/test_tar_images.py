import pytest

from curate.ingest.files.faults import Place, RecordError
from curate.ingest.files.tars import TarSample
from curate.ingest.formats.tar_images import TarImages


def images(*names: str, key: str = "x/k", fetches: bool = False) -> TarImages:
    parts = {name: name.encode() for name in names}
    sample = TarSample(place=Place(label="a.tar", number=1), key=key, parts={**parts, "json": b""})
    return TarImages(sample=sample, fetches_absent=fetches)


def found(there: TarImages, *references: object) -> list[str | bytes | None]:
    return [item.image_bytes or item.image_url for item in there.find_all(references)]


@pytest.mark.parametrize(
    "reference",
    [
        *("1.jpg", "k.1.jpg", "x/k.1.jpg", "K.1.JPG", "images/k.1.jpg", "1", 1, {"index": 1}, {"file_name": "k.1.jpg"}),
        *({"image": {"path": "1.jpg"}}, {"type": "image", "name": "1"}),
    ],
)
def test_an_image_has_many_names(reference: object) -> None:
    assert found(images("0.jpg", "1.jpg"), reference) == [b"1.jpg"]


def test_numbers_are_those_of_the_names_else_places() -> None:
    assert found(images("img1.jpg", "img2.jpg"), 1, 2) == [b"img1.jpg", b"img2.jpg"]
    assert found(images("b.jpg", "a.jpg"), 1, 0) == [b"a.jpg", b"b.jpg"]
    for number in (-1, 2, 3):
        with pytest.raises(RecordError, match="not among its members"):
            found(images("img0.jpg", "img1.jpg"), number)


@pytest.mark.parametrize("reference", [None, True, "", {}, {"type": "image"}])
def test_an_image_without_a_name_is_the_next(reference: object) -> None:
    there = images("0.jpg", "1.jpg")
    assert found(there, reference) == [b"0.jpg"]
    assert there.unused == ["1.jpg"]


def test_addresses_and_foreign_paths_mean_the_images_in_order() -> None:
    there = images("0.jpg", "1.jpg")
    items = there.find_all(["http://h/b.jpg", {"image_url": {"url": "http://h/a.jpg"}}])
    assert [(item.image_url, item.image_bytes) for item in items] == [
        ("http://h/b.jpg", b"0.jpg"),
        ("http://h/a.jpg", b"1.jpg"),
    ]
    assert found(images("jpg"), "coco/train/17.jpg") == [b"jpg"]


@pytest.mark.parametrize(
    "references",
    [("2.jpg",), ("../../etc/passwd",), ("http://h/a",), ("0.jpg", "17.jpg"), (3.5,), ([],), ({"name": []},)],
)
def test_what_is_not_there_is_said(references: tuple[object, ...]) -> None:
    with pytest.raises(RecordError):
        found(images("0.jpg", "1.jpg"), *references)


def test_what_is_not_there_is_fetched_where_the_source_says_so() -> None:
    there = images("0.jpg", "1.jpg", fetches=True)
    assert found(there, {"name": "2.jpg", "url": "http://h/2"}, "1.jpg", "http://h/3") == [
        *("http://h/2", b"1.jpg", "http://h/3")
    ]
    assert there.unused == ["0.jpg"]
