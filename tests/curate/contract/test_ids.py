import numpy as np

from curate.contract.ids import doc_id, image_number, seed_for, sha256_hex, split_image_number


def test_doc_id_is_sixteen_hex_digits_that_never_change() -> None:
    # Golden: a changed id would orphan every run folder and shard out there.
    assert doc_id("mmc4", "http://a.example/p", "f.jsonl#1") == "5bc92d0fb35057db"


def test_doc_id_depends_on_each_part_and_on_their_borders() -> None:
    ids = {
        doc_id("a", "b", "c"),
        doc_id("x", "b", "c"),
        doc_id("a", "x", "c"),
        doc_id("a", "b", "x"),
        doc_id("ab", "", "c"),
    }
    assert len(ids) == 5


def test_doc_id_takes_a_lone_surrogate() -> None:
    assert len(doc_id("a", "\ud800", "1")) == 16


def test_sha256_hex_is_the_standard_one() -> None:
    assert sha256_hex(b"abc").startswith("ba7816bf")


def test_seed_depends_on_name_and_seed_only() -> None:
    assert seed_for(0, "a") == seed_for(0, "a")
    assert len({seed_for(0, "a"), seed_for(1, "a"), seed_for(0, "b")}) == 3
    assert 0 <= seed_for(0, "a") < 2**64


def test_numbers_of_images_rise_in_input_order_and_come_apart_again() -> None:
    places = [(0, 0), (0, 1), (0, 2**32 - 1), (1, 0), (70_000, 5), (2**31 - 1, 2**32 - 1)]
    numbers = [image_number(*place) for place in places]
    assert numbers == sorted(set(numbers))
    assert [split_image_number(number) for number in numbers] == places
    partitions, rows = split_image_number(np.array(numbers, dtype=np.int64))
    assert list(zip(partitions.tolist(), rows.tolist(), strict=True)) == places
