from dataclasses import replace
from typing import Literal

import numpy as np
import pytest

from curate.contract.errors import RecipeError, ShardError
from train_bridge.data.corpus import open_corpus
from train_bridge.data.dataset import DatasetSpec
from train_bridge.data.selection import Selection
from train_bridge.packing.draw import rows_at
from train_bridge.packing.plan import plan_packs

SIDES: tuple[Literal["train"], Literal["validation"]] = ("train", "validation")


def test_two_sets_are_one_sequence_of_rows(spec: DatasetSpec) -> None:
    corpus = open_corpus(spec.length_paths * 2, folders=["first", "second"])
    assert corpus.num_rows == 96
    (folder, row), (other_folder, other_row) = corpus.index_row(47), corpus.index_row(48 + 47)
    assert (folder, other_folder) == ("first", "second")
    assert row == other_row
    assert corpus.index_row(48)[0] == "second"


def test_counts_follow_the_rows_that_are_asked_for(spec: DatasetSpec) -> None:
    counts = spec.open_corpus().counts(np.array([2, 0, 1]))
    assert counts.num_images.tolist() == [2, 1, 0]
    assert counts.group.tolist() == [2, 0, 1]
    assert (counts.num_labels < counts.num_ids).all()


def test_kinds_and_sources_select(spec: DatasetSpec) -> None:
    corpus = open_corpus(
        spec.length_paths, folders=["a"], selection=Selection(kinds={"pair", "text"}, sources={"chat"})
    )
    assert corpus.groups == (("chat", "text"),)
    assert corpus.entries[0].rows.tolist() == list(range(1, 48, 3))


def test_groups_are_sorted_and_found(spec: DatasetSpec) -> None:
    corpus = spec.open_corpus()
    assert corpus.groups == (("captions", "pair"), ("chat", "text"), ("pages", "interleaved"))
    assert [corpus.group(row) for row in range(3)] == [0, 1, 2]


def test_documents_have_their_places(spec: DatasetSpec) -> None:
    document = spec.open_corpus().document(2)
    assert len(document.image_at) == 2
    assert document.num_ids > max(document.image_at) > 0
    assert document.label_spans[-1] == document.num_ids


def test_blocks_are_of_whole_shards_and_draw_every_sample_once(spec: DatasetSpec) -> None:
    corpus = open_corpus(spec.length_paths * 3, folders=["a", "b", "c"], selection=Selection(kinds={"pair", "text"}))
    (entry,) = corpus.entries
    assert entry.shard_starts.tolist() == [0, 32, 64]
    settings = replace(spec.plan, order="blocks", block_shards=1)
    drawn = [row for pack in plan_packs(corpus, settings, num_epochs=1) for row in pack.table["row"].tolist()]
    assert sorted(drawn) == entry.rows.tolist()
    places = rows_at(entry, settings.draw, np.arange(96))
    assert sorted(set((places // 48).tolist())) == [0, 1, 2]
    assert [len(set((part // 48).tolist())) for part in np.split(places, 3)] == [1, 1, 1]
    assert places.tolist() != sorted(places.tolist())


def test_nothing_to_train_on_is_an_error(spec: DatasetSpec) -> None:
    with pytest.raises(ShardError, match="no sample of source nowhere"):
        open_corpus(spec.length_paths, folders=["a"], selection=Selection(sources={"nowhere"}))
    with pytest.raises(ShardError, match="no sample that can be used"):
        open_corpus(spec.length_paths, folders=["a"], selection=Selection(kinds=set()))


def test_faults_are_counted(spec: DatasetSpec) -> None:
    assert not any(group.unusable for group in spec.open_corpus().survey())


def test_weights_make_entries(spec: DatasetSpec) -> None:
    selection = Selection(weights={"captions": 1.0, "interleaved": {"0": 1.0, "1000": 3.0}, "text": 0.0})
    corpus = open_corpus(spec.length_paths, folders=["a"], selection=selection)
    assert [(entry.name, len(entry.rows)) for entry in corpus.entries] == [("captions", 16), ("interleaved", 16)]
    assert [float(entry.curve.shares[-1]) for entry in corpus.entries] == [0.25, 0.75]


def test_places_as_shares_of_a_run(spec: DatasetSpec) -> None:
    with pytest.raises(RecipeError, match="must be amounts"):
        open_corpus(spec.length_paths, folders=["a"], selection=Selection(weights={"pair": {"0%": 1.0, "50%": 2.0}}))


def test_the_sides_of_the_split_share_nothing(spec: DatasetSpec) -> None:
    rows = [
        set(
            open_corpus(spec.length_paths, folders=["a"], selection=Selection(side=side, validation_share=0.3))
            .entries[0]
            .rows.tolist()
        )
        for side in SIDES
    ]
    assert rows[0] | rows[1] == set(range(48))
    assert not rows[0] & rows[1]
    assert 5 <= len(rows[1]) <= 25
