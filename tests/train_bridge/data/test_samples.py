from dataclasses import replace
from pathlib import Path

import pytest
from transformers import LlavaProcessor

from curate.contract.errors import ShardError
from shards.reader import read_index
from shards.sample import Sample, SampleImage, SampleText
from tests.train_bridge.conftest import TOKENS_PER_IMAGE, image_item, make_sample, write_set
from train_bridge.data.corpus import Corpus, open_corpus
from train_bridge.data.lengths import count_lengths
from train_bridge.data.read_packs import read_packs
from train_bridge.data.samples import LoadedSample, SampleReader, SkippedSample
from train_bridge.model.image_modes import image_form
from train_bridge.packing.plan import Pack, PlanSettings, plan_packs
from train_bridge.packing.split import Capacity
from train_bridge.tokens.encoder import IGNORED, TextEncoder
from train_bridge.tokens.faults import SampleFault

CAPACITY = Capacity(seq_length=64, tokens_per_image=TOKENS_PER_IMAGE, has_bos=True)
SETTINGS = PlanSettings(capacity=CAPACITY)


def plan(corpus: Corpus, settings: PlanSettings = SETTINGS) -> list[Pack]:
    return list(plan_packs(corpus, settings, num_epochs=1))


def corpus_of(samples: list[Sample], folder: Path, encoder: TextEncoder) -> Corpus:
    shards = write_set(folder / "set", samples)
    return open_corpus([count_lengths(shards, encoder=encoder, cache_dir=str(folder))], folders=[shards])


def reader_of(corpus: Corpus, encoder: TextEncoder, processor: LlavaProcessor) -> SampleReader:
    return SampleReader(corpus, encoder=encoder, form=image_form(processor.image_processor), capacity=CAPACITY)


def test_a_sample_is_as_long_as_it_was_counted(encoder: TextEncoder, processor: LlavaProcessor, tmp_path: Path) -> None:
    corpus = corpus_of([make_sample(number) for number in range(6)], tmp_path, encoder)
    with reader_of(corpus, encoder, processor) as reader:
        for sample in (sample for pack in plan(corpus) for sample in pack.samples):
            loaded = reader.read(sample)
            assert isinstance(loaded, LoadedSample)
            assert len(loaded.ids) == len(loaded.labels) == sample.span.num_tokens
            assert len(loaded.pixels) == sample.span.num_images
            assert (loaded.labels != IGNORED).sum() == sample.span.num_labels
            assert loaded.group == corpus.group(sample.row)


def test_a_long_document_comes_in_parts_with_their_own_images(
    encoder: TextEncoder, processor: LlavaProcessor, tmp_path: Path
) -> None:
    colours = {"red": 0, "blue": 2}
    items: list[SampleText | SampleImage] = []
    for colour in colours:
        items += [image_item(colour), SampleText("word " * 4)]
    document = Sample(doc_id="0" * 16, kind="interleaved", source="pages", url=None, items=items)
    corpus = corpus_of([document], tmp_path, encoder)
    settings = replace(SETTINGS, capacity=replace(CAPACITY, seq_length=40))
    samples = sorted((s for pack in plan(corpus, settings) for s in pack.samples), key=lambda s: s.chunk)
    assert [sample.span.num_images for sample in samples] == [1, 1]
    with reader_of(corpus, encoder, processor) as reader:
        for sample, channel in zip(samples, colours.values(), strict=True):
            loaded = reader.read(sample)
            assert isinstance(loaded, LoadedSample)
            assert loaded.pixels[0].mean(axis=(1, 2)).argmax() == channel
            assert loaded.ids[0] == encoder.bos_id
            assert (loaded.ids[-1] == encoder.eos_id) == (sample is samples[-1])


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (("0.jpg", 0, b"\0" * 20), SampleFault.BROKEN_IMAGE),
        (("0.jpg", -512, b"x"), SampleFault.UNREADABLE),
        (("json", 0, b"\xff"), SampleFault.UNREADABLE),
    ],
)
def test_a_corrupt_sample_is_named(
    encoder: TextEncoder,
    processor: LlavaProcessor,
    tmp_path: Path,
    damage: tuple[str, int, bytes],
    fault: SampleFault,
) -> None:
    corpus = corpus_of([make_sample(0)], tmp_path, encoder)
    ((sample,),) = [pack.samples for pack in plan(corpus)]
    (row,) = read_index(str(tmp_path / "set")).to_pylist()
    part, offset, data = damage
    with (tmp_path / "set" / row["shard"]).open("r+b") as file:
        file.seek(next(entry["offset"] for entry in row["parts"] if entry["name"] == part) + offset)
        file.write(data)
    with reader_of(corpus, encoder, processor) as reader:
        skipped = reader.read(sample)
    assert isinstance(skipped, SkippedSample)
    assert (skipped.key, skipped.doc_id, skipped.fault) == (row["key"], "0" * 16, fault)
    assert skipped.detail


def test_a_corrupt_sample_is_replaced_by_one_that_fits_and_always_the_same(
    encoder: TextEncoder, processor: LlavaProcessor, tmp_path: Path
) -> None:
    corpus = corpus_of([make_sample(number) for number in range(30)], tmp_path, encoder)
    samples = [sample for pack in plan(corpus) for sample in pack.samples]
    bad = next(sample for sample in samples if sample.row == 0)
    row = read_index(str(tmp_path / "set")).to_pylist()[0]
    with (tmp_path / "set" / row["shard"]).open("r+b") as file:
        file.seek(row["parts"][1]["offset"])
        file.write(b"\0" * 20)
    with reader_of(corpus, encoder, processor) as reader, reader_of(corpus, encoder, processor) as other:
        (skipped, instead), (_, again) = reader.read_or_replace(bad), other.read_or_replace(bad)
        assert len(reader.read_or_replace(samples[-1])) == 1
    assert isinstance(skipped, SkippedSample)
    assert skipped.key == row["key"]
    assert isinstance(instead, LoadedSample)
    assert isinstance(again, LoadedSample)
    assert 0 < len(instead.ids) <= bad.span.num_tokens
    assert len(instead.pixels) <= bad.span.num_images
    assert (instead.ids == again.ids).all()


def test_a_corrupt_sample_that_nothing_fits_leaves_room(
    encoder: TextEncoder, processor: LlavaProcessor, tmp_path: Path
) -> None:
    corpus = corpus_of([make_sample(0)], tmp_path, encoder)
    (pack,) = plan(corpus)
    (tmp_path / "set" / "00000.tar").unlink()
    with reader_of(corpus, encoder, processor) as reader:
        assert [type(found) for found in reader.read_or_replace(pack.samples[0])] == [SkippedSample]


def test_other_tokens_than_were_counted(encoder: TextEncoder, processor: LlavaProcessor, tmp_path: Path) -> None:
    corpus = corpus_of([make_sample(0)], tmp_path, encoder)
    ((sample,),) = [pack.samples for pack in plan(corpus)]
    longer = replace(sample, span=replace(sample.span, num_tokens=sample.span.num_tokens + 1))
    with reader_of(corpus, encoder, processor) as reader:
        skipped = reader.read(longer)
    assert isinstance(skipped, SkippedSample)
    assert skipped.fault == SampleFault.CHANGED


def test_a_missing_shard_is_a_fault_of_its_samples(
    encoder: TextEncoder, processor: LlavaProcessor, tmp_path: Path
) -> None:
    corpus = corpus_of([make_sample(0)], tmp_path, encoder)
    (pack,) = plan(corpus)
    (tmp_path / "set" / "00000.tar").unlink()
    with reader_of(corpus, encoder, processor) as reader:
        skipped = reader.read(pack.samples[0])
    assert isinstance(skipped, SkippedSample)
    assert "00000.tar" in skipped.detail


@pytest.mark.parametrize("read_ahead", [1, 3, 100])
def test_packs_keep_their_order_whatever_is_in_flight(
    encoder: TextEncoder, processor: LlavaProcessor, tmp_path: Path, read_ahead: int
) -> None:
    corpus = corpus_of([make_sample(number) for number in range(12)], tmp_path, encoder)
    packs = plan(corpus)
    with reader_of(corpus, encoder, processor) as reader:
        found = list(read_packs(packs, reader=reader, read_ahead=read_ahead))
    assert [pack.number for pack, _ in found] == list(range(len(packs)))
    for pack, content in found:
        sizes = [len(sample.ids) for sample in content if isinstance(sample, LoadedSample)]
        assert sizes == [sample.span.num_tokens for sample in pack.samples]


def test_the_corpus_of_a_missing_set(encoder: TextEncoder, tmp_path: Path) -> None:
    with pytest.raises(ShardError):
        count_lengths(str(tmp_path / "none"), encoder=encoder, cache_dir=str(tmp_path))
