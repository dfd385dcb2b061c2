from curate.contract.ids import doc_id, seed_for, sha256_hex


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
