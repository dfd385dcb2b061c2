from dataclasses import replace

from train_bridge.data.dataset import DatasetSpec


def test_every_document_of_a_group_is_counted(spec: DatasetSpec) -> None:
    corpus = spec.open_corpus()
    surveys = corpus.survey()
    assert [(one.source, one.kind) for one in surveys] == list(corpus.groups)
    assert sum(one.num_documents for one in surveys) == corpus.num_rows
    assert sum(one.num_usable for one in surveys) == sum(len(entry.rows) for entry in corpus.entries)
    assert all(one.num_tokens > one.num_documents for one in surveys)


def test_what_no_weight_covers_is_named(spec: DatasetSpec) -> None:
    surveys = replace(spec, weights={"captions": 1.0}).open_corpus().survey()
    without = {one.source for one in surveys if one.unusable == {"no_weight": one.num_documents}}
    assert without == {one.source for one in surveys} - {"captions"}


def test_what_is_held_out_is_no_loss(spec: DatasetSpec) -> None:
    every = {one.source: one for one in spec.open_corpus().survey()}
    train = {one.source: one for one in replace(spec, validation_share=0.3).open_corpus().survey()}
    assert sum(one.num_held_out for one in train.values()) > 0
    for source, one in train.items():
        assert one.num_documents + one.num_held_out == every[source].num_documents
        assert one.num_usable == one.num_documents
