from pathlib import Path

from tests.train_bridge.conftest import make_sample, stage_config
from train_bridge.packing.cursor import Cursor
from train_bridge.training.not_finite import PackDocuments, describe_packs
from train_bridge.training.prepare import prepare
from train_bridge.training.ranks import joined_ranks


def test_packs_are_named_by_their_documents(shard_folder: str, tmp_path: Path) -> None:
    with joined_ranks() as ranks:
        prepared = prepare(stage_config(shard_folder, tmp_path), ranks=ranks)
    found = describe_packs(prepared, Cursor(next_pack=2), numbers=[4, 2])
    assert [pack.number for pack in found] == [2, 4]
    known = {make_sample(number).doc_id for number in range(48)}
    assert all(pack.doc_ids and known.issuperset(pack.doc_ids) for pack in found)
    assert found == describe_packs(prepared, Cursor(), numbers=[2, 4])


def test_a_few_words_name_the_first_documents() -> None:
    assert PackDocuments(number=3, doc_ids=("a", "b")).brief() == "pack 3: a, b"
    assert PackDocuments(number=3, doc_ids=tuple("abcdefg")).brief() == "pack 3: a, b, c, d, e and 2 more"
