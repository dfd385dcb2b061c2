import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from transformers import LlavaProcessor

from shards.sample import Sample, SampleText
from tests.train_bridge.conftest import TOKENS_PER_IMAGE, image_item, make_sample, write_set
from train_bridge.data.corpus import Corpus, open_corpus
from train_bridge.data.fetching import SampleFetcher
from train_bridge.data.lengths import count_lengths
from train_bridge.data.read_packs import read_packs
from train_bridge.data.samples import LoadedSample, SampleReader, SkippedSample
from train_bridge.model.image_modes import image_form
from train_bridge.packing.plan import Pack, PlanSettings, plan_packs
from train_bridge.packing.split import Capacity
from train_bridge.tokens.encoder import Encoded, TextEncoder, TextForm
from train_bridge.tokens.faults import SampleFault

CAPACITY = Capacity(seq_length=64, tokens_per_image=TOKENS_PER_IMAGE, has_bos=True)


@pytest.fixture
def read_sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    sizes, pread = list[int](), os.pread

    def noted(descriptor: int, size: int, offset: int) -> bytes:
        sizes.append(size)
        return pread(descriptor, size, offset)

    monkeypatch.setattr(os, "pread", noted)
    return sizes


def long_document(number: int, *, num_images: int) -> Sample:
    items: list[object] = []
    for image in range(num_images):
        items += [image_item(("red", "green", "blue")[image % 3]), SampleText("a field of words " * 4)]
    return Sample(doc_id=f"{number:016x}", kind="interleaved", source="pages", url=None, items=items)  # type: ignore[arg-type]


def counted(shards: str, folder: Path, encoder: TextEncoder) -> Corpus:
    return open_corpus([count_lengths(shards, encoder=encoder, cache_dir=str(folder))], folders=[shards])


def packs_of(corpus: Corpus, **settings: object) -> list[Pack]:
    return list(plan_packs(corpus, PlanSettings(capacity=CAPACITY, **settings), num_epochs=1))  # type: ignore[arg-type]


def loaded(packs: list[Pack], reader: SampleReader) -> Iterator[LoadedSample]:
    for _, content in read_packs(packs, reader=reader):
        for one in content:
            assert isinstance(one, LoadedSample)
            yield one


def test_parts_of_a_document_share_its_text_and_read_their_own_images(
    processor: LlavaProcessor, tmp_path: Path, read_sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = TextEncoder(processor.tokenizer, form=TextForm())
    shards = write_set(tmp_path / "set", [long_document(number, num_images=12) for number in range(3)])
    corpus = counted(shards, tmp_path, encoder)
    packs = packs_of(corpus)
    assert sum(len(pack.samples) for pack in packs) > 12
    calls, encode = list[int](), encoder.encode

    def noted(records: list[dict[str, Any]]) -> list[Encoded | SampleFault]:
        calls.append(len(records))
        return encode(records)

    monkeypatch.setattr(encoder, "encode", noted)
    read_sizes.clear()
    with SampleReader(corpus, encoder=encoder, form=image_form(processor.image_processor), capacity=CAPACITY) as reader:
        found = list(loaded(packs, reader))
    assert sum(len(sample.pixels) for sample in found) == 36
    assert calls == [1, 1, 1]
    assert sum(read_sizes) <= Path(shards, "00000.tar").stat().st_size


def test_images_that_are_left_out_are_not_read(
    processor: LlavaProcessor, tmp_path: Path, read_sizes: list[int]
) -> None:
    encoder = TextEncoder(processor.tokenizer, form=TextForm(max_images=1))
    samples = [long_document(number, num_images=2) for number in range(4)]
    corpus = counted(write_set(tmp_path / "set", samples), tmp_path, encoder)
    read_sizes.clear()
    with SampleReader(
        corpus, encoder=encoder, form=image_form(processor.image_processor), capacity=replace(CAPACITY, seq_length=99)
    ) as reader:
        packs = list(plan_packs(corpus, PlanSettings(capacity=replace(CAPACITY, seq_length=99)), num_epochs=1))
        found = list(loaded(packs, reader))
    assert [len(sample.pixels) for sample in found] == [1] * 4
    sizes = [part["num_bytes"] for _, row in map(corpus.index_row, range(4)) for part in row["parts"]]
    json_and_first = sum(size for place, size in enumerate(sizes) if place % 3 < 2)
    assert sum(read_sizes) <= json_and_first + 4 * 4 * 512
    assert len(read_sizes) == 8


class Store:
    """Requests to a set in memory."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.requests: list[tuple[int, int]] = []
        self.is_down = False
        system = fsspec.filesystem("memory")
        cat_file = system.cat_file

        def cat(path: str, start: int | None = None, end: int | None = None, **rest: object) -> bytes:
            if path.endswith(".tar"):
                self.requests.append((start or 0, end or 0))
                if self.is_down:
                    raise TimeoutError("no answer")
            return cat_file(path, start=start, end=end, **rest)  # type: ignore[no-any-return]

        monkeypatch.setattr(type(system), "cat_file", lambda _self, *args, **kwargs: cat(*args, **kwargs))


@pytest.fixture
def remote(encoder: TextEncoder, tmp_path: Path, request: pytest.FixtureRequest) -> Corpus:
    local = write_set(tmp_path / "set", [make_sample(number) for number in range(12)])
    url = f"memory://{request.node.name}"
    for path in Path(local).iterdir():
        fsspec.filesystem("memory").pipe_file(f"{url}/{path.name}", path.read_bytes())
    return counted(url, tmp_path, encoder)


def test_neighbours_on_an_object_store_are_one_request(
    encoder: TextEncoder, processor: LlavaProcessor, remote: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, packs = Store(monkeypatch), packs_of(remote)
    form = image_form(processor.image_processor)
    with SampleReader(remote, encoder=encoder, form=form, capacity=CAPACITY) as reader:
        found = list(loaded(packs, reader))
    whole = [sample for pack in packs for sample in pack.samples]
    assert len(packs) <= len(store.requests) < len(whole) == 12
    near = counted(str(tmp_path / "set"), tmp_path, encoder)
    with SampleReader(near, encoder=encoder, form=form, capacity=CAPACITY) as reader:
        for one, other in zip(found, loaded(packs, reader), strict=True):
            assert np.array_equal(one.ids, other.ids)
            assert all(np.array_equal(*pair) for pair in zip(one.pixels, other.pixels, strict=True))


def test_one_corrupt_neighbour_is_one_fault(
    encoder: TextEncoder, processor: LlavaProcessor, remote: Corpus, request: pytest.FixtureRequest
) -> None:
    path = f"memory://{request.node.name}/00000.tar"
    system, row = fsspec.filesystem("memory"), remote.index_row(1)[1]
    data = bytearray(system.cat_file(path))
    data[row["parts"][0]["offset"]] = 0xFF
    system.pipe_file(path, bytes(data))
    with SampleReader(remote, encoder=encoder, form=image_form(processor.image_processor), capacity=CAPACITY) as reader:
        contents = [one for _, content in read_packs(packs_of(remote), reader=reader) for one in content]
    skipped = [one for one in contents if isinstance(one, SkippedSample)]
    assert [(one.key, one.fault) for one in skipped] == [(row["key"], SampleFault.UNREADABLE)]


def test_a_group_whose_storage_is_down_is_waited_for_once(
    encoder: TextEncoder, remote: Corpus, processor: LlavaProcessor, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(monkeypatch)
    store.is_down = True
    samples = [sample for pack in packs_of(remote) for sample in pack.samples]
    with SampleReader(remote, encoder=encoder, form=image_form(processor.image_processor), capacity=CAPACITY) as reader:
        contents = reader.read_group(samples)
    assert [[one.fault for one in content if isinstance(one, SkippedSample)] for content in contents] == [
        [SampleFault.STORAGE]
    ] * len(samples)
    assert len(store.requests) == 1


def test_what_was_read_is_of_the_document_that_was_asked_for(encoder: TextEncoder, remote: Corpus) -> None:
    fetcher = SampleFetcher(remote, encoder=encoder, cache=None, patience_s=0.0)
    samples = packs_of(remote)[0].samples
    (group,) = fetcher.group_near(samples)
    near = fetcher.fetch_near([samples[place] for place in group])
    assert near is not None
    for place, fetched in zip(group, near, strict=True):
        alone = fetcher.fetch(samples[place])
        assert not isinstance(alone.encoded, SampleFault)
        assert not isinstance(fetched.encoded, SampleFault)
        assert np.array_equal(alone.encoded.ids, fetched.encoded.ids)
        assert alone.images == fetched.images
    fetcher.close()
