import io

import pytest

from curate.contract.records import Fault
from curate.ingest.files import tar_joins
from curate.ingest.files.tar_joins import join_named
from curate.ingest.files.tars import read_tar_samples
from tests.curate.ingest.files.test_tars import tar


def joined(*members: tuple[str, bytes]) -> list[tuple[str, list[str]] | str]:
    samples = join_named(read_tar_samples(io.BytesIO(tar(*members)), label="a.tar"))
    return [one.detail if isinstance(one, Fault) else (one.key, list(one.parts)) for one in samples]


JSON = b'{"images": ["k_0.JPG", "x/k_1.png"]}'


def test_images_join_the_json_that_names_them_before_or_behind() -> None:
    expected = [("x/k", ["json", "k_0.jpg", "k_1.png"]), ("x/l", ["jpg", "txt"])]
    after = (("x/l.jpg", b"L"), ("x/l.txt", b"l"))
    assert joined(("x/k.json", JSON), ("x/k_0.jpg", b"0"), ("x/k_1.png", b"1"), *after) == expected
    found = joined(("x/k_0.jpg", b"0"), ("x/k_1.png", b"1"), ("x/k.json", JSON), *after)
    assert found == [("x/k", ["k_0.jpg", "k_1.png", "json"]), ("x/l", ["jpg", "txt"])]


def test_what_no_json_names_stays_a_sample() -> None:
    members = (("z.jpg", b"Z"), ("k_0.jpg", b"0"), ("k.json", JSON), ("k_2.jpg", b"2"), ("k_1.png", b"1"))
    assert joined(*members) == [("z", ["jpg"]), ("k", ["k_0.jpg", "json"]), ("k_2", ["jpg"]), ("k_1", ["png"])]
    pairs = (("k_0.jpg", b"0"), ("k_0.txt", b"t"), ("k_0.json", b'{"key": "k_0.jpg"}'), ("k_1.jpg", b"1"))
    assert joined(*pairs, ("k_1.txt", b"t")) == [("k_0", ["jpg", "txt", "json"]), ("k_1", ["jpg", "txt"])]


def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tar_joins, "MAX_SAMPLE_BYTES", 40)
    members = (("k.json", JSON), ("k_0.jpg", b"0" * 9), ("k_1.png", b"1"))
    assert joined(*members) == ["a.tar:1: k: more than 1000 members or 40 bytes in all", ("k_1", ["png"])]
    waiting = (("k_0.jpg", b"0" * 30), ("k_1.png", b"1" * 30), ("k.json", JSON))
    assert joined(*waiting) == [("k_0", ["jpg"]), ("k_1", ["png"]), ("k", ["json"])]
    assert [found for found in joined(*members[:2]) if isinstance(found, str)] != []


def test_a_broken_end_keeps_the_order() -> None:
    data = tar(("k.json", JSON), ("k_0.jpg", b"0"))[:-5000]
    found = list(join_named(read_tar_samples(io.BytesIO(data), label="a.tar")))
    assert isinstance(found[-1], Fault)
