"""A run with two shard sets of two decisions loses a host, addresses and hashes."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from curate.contract.errors import CurateError
from curate.contract.ids import sha256_hex
from pipelines.account import account_for
from pipelines.build import decide_and_write
from pipelines.decide.facts_table import manifest_row
from pipelines.recipes.load import dump_recipe, parse_recipe
from pipelines.run import tables
from pipelines.run.context import RunContext
from pipelines.run.folder import read_json, write_text
from pipelines.run.manifest import load_manifest, write_manifest
from pipelines.run.removals import Removals, load_removals, store_removals
from pipelines.run.stored import read_rows
from pipelines.stages.images import fetch_admitted_images
from pipelines.takedown.partition import delete_bytes
from pipelines.takedown.remove import Removed, remove
from pipelines.verify import verify
from shards.reader import read_index
from tests.pipelines.corpus import CLIP, Doc, Picture, chat, doc, jpeg, make_context, measured, pair, write_partition
from tests.pipelines.in_process import InProcess

MMC4, COYO, FLAN = "mmc4-00000-00000", "coyo-00000-00000", "flan-00000-00000"
RECIPE = CLIP + "keep: {doc.images: {min: 1}}\ndedup: {}\nshards: {samples: 2}\n"
BAD = "http://bad.example"
PRIVATE = "words that nobody else wrote"


def contents(path: Path) -> Iterator[bytes]:
    """Yield a file's bytes, and all that a table holds, which may be compressed."""
    yield path.read_bytes()
    if path.suffix == ".parquet":
        for column in pq.read_table(path).columns:
            values = column.to_pylist()
            yield from (one.encode() for one in values if isinstance(one, str))
            yield from (one for one in values if isinstance(one, bytes))


@dataclass(frozen=True, slots=True)
class Corpus:
    """A finished run."""

    context: RunContext

    def open_set(self, name: str) -> RunContext:
        text = Path(self.context.folder.file("blend", f"{name}.recipe.yaml")).read_text(encoding="utf-8")
        return replace(self.context, recipe=parse_recipe(text))

    def remove(self, **lists: list[str]) -> Removed:
        return remove(InProcess(), self.context, Removals.of(lists), open_set=self.open_set)

    def tars(self) -> dict[str, str]:
        root = Path(self.context.folder.root, "shards")
        paths = sorted(root.rglob("*.tar"))
        return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}

    def has(self, data: bytes) -> list[str]:
        """Return the files of the run that hold some bytes."""
        paths = (path for path in sorted(Path(self.context.folder.root).rglob("*")) if path.is_file())
        return [path.name for path in paths if any(data in one for one in contents(path))]

    def doc_ids(self, name: str) -> list[str]:
        return sorted(read_index(self.context.folder.file("shards", name))["doc_id"].to_pylist())


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    context = make_context(tmp_path, RECIPE)
    docs = [
        doc("a", "one text", Picture(number=1)),
        doc("b", "two texts", Picture(number=2), Picture(number=3, url=f"{BAD}/3.jpg")),
        doc("c", "three", Picture(number=4, url=f"{BAD}/4.jpg")),
        Doc(doc_id="d", items=(PRIVATE, Picture(number=5)), meta=json.dumps({"note": PRIVATE})),
        doc("e", "five", Picture(number=6)),
        doc("f", "six", Picture(number=7)),
    ]
    write_partition(context, MMC4, docs)
    _set_url(context, MMC4, "d", f"{BAD}/page")
    write_partition(context, COYO, [pair("p", Picture(number=8, url=f"{BAD}/8.jpg")), pair("q", Picture(number=9))])
    write_partition(context, FLAN, [chat("r"), chat("s")])
    return finish(context, MMC4, COYO, FLAN)


def finish(context: RunContext, *partitions: str) -> Corpus:
    """Make two shard sets of two decisions."""
    for partition in partitions:
        fetch_admitted_images(context, partition)
    manifest = measured(context, *partitions)
    write_text(context.folder.file("recipe.yaml"), dump_recipe(context.recipe))
    for overrides in ([], ["blend.name=small", "keep.doc.images.max=1", "blend.seed=5"]):
        own = replace(context, recipe=parse_recipe(dump_recipe(context.recipe), overrides=overrides))
        built = decide_and_write(InProcess(), own, manifest)
        account_for(InProcess(), own, built.decided)
    assert verify(context.folder.root) == []
    return Corpus(context)


def _set_url(context: RunContext, partition: str, doc_id: str, url: str) -> None:
    documents = context.folder.read(tables.DOCUMENTS, partition)
    rows = [{**row, "url": url} if row["doc_id"] == doc_id else row for row in documents.to_pylist()]
    changed = type(documents).from_pylist(rows, schema=documents.schema)
    context.folder.write(tables.DOCUMENTS, partition, rows=changed, made_from="by hand")


def test_a_host_leaves_every_file_and_untouched_shards_stay(corpus: Corpus) -> None:
    before = corpus.tars()
    assert corpus.has(jpeg(3))
    assert corpus.has(jpeg(8))
    removed = corpus.remove(hosts=["bad.example"])
    assert (removed.num_documents, removed.num_images) == (1, 4)
    for number in (3, 4, 5, 8):
        assert corpus.has(jpeg(number)) == []
    assert corpus.has(PRIVATE.encode()) == []
    for number in (1, 2, 6, 7, 9):
        assert corpus.has(jpeg(number)) != []
    after = corpus.tars()
    same = {name for name in before if after.get(name) == before[name]}
    assert same
    assert sum(removed.rewritten.values()) == len(before) - len(same)
    assert corpus.doc_ids("main") == ["a", "b", "e", "f", "q", "r", "s"]
    assert corpus.doc_ids("small") == ["a", "e", "f", "q", "r", "s"]
    assert verify(corpus.context.folder.root) == []


@pytest.mark.parametrize("kind", ["urls", "hosts", "sha256"])
def test_its_bytes_go_wherever_else_they_are(kind: str, tmp_path: Path) -> None:
    """Copies by other addresses, in other partitions too, whether deduplication had left them out or not."""
    context = make_context(tmp_path, RECIPE.replace("dedup: {}", "dedup: {image: {exact: false}}"))
    write_partition(context, MMC4, [doc("a", "one text", Picture(number=1, url=f"{BAD}/1.jpg")), chat("t")])
    others = [Picture(number=1), Picture(number=2), Picture(number=1, url="http://third.example/1.jpg")]
    write_partition(context, COYO, [pair(f"p{n}", picture) for n, picture in enumerate(others)])
    corpus = finish(context, MMC4, COYO)
    listed = {"urls": f"{BAD}/1.jpg", "hosts": "bad.example", "sha256": sha256_hex(jpeg(1))}[kind]
    removed = corpus.remove(**{kind: [listed]})
    assert (removed.num_documents, removed.num_images) == (0, 3)
    assert corpus.has(jpeg(1)) == []
    assert corpus.has(jpeg(2)) != []
    assert corpus.doc_ids("main") == ["p1", "t"]
    assert verify(corpus.context.folder.root) == []
    assert corpus.remove(**{kind: [listed]}).rewritten == {"main": 0, "small": 0}


def test_what_an_interrupted_takedown_has_left_is_told(corpus: Corpus) -> None:
    context = corpus.context
    removals = Removals.of({"hosts": ["bad.example"]})
    store_removals(context.folder, removals)
    faults = verify(context.folder.root)
    for left in (f"{MMC4}: {BAD}/3.jpg", f"{COYO}: {BAD}/8.jpg", f"{BAD}/4.jpg in c", f"{BAD}/page"):
        assert any(left in fault for fault in faults)
    assert all(fault.endswith("give the same list to `curate remove` again") for fault in faults)
    assert {fault.split("/")[1] for fault in faults if fault.startswith("shards/")} == {"main", "small"}
    rows = {row["partition"]: row for row in load_manifest(context).table.to_pylist()}
    own = replace(context, removed=removals.digest)
    fresh = {name: manifest_row(delete_bytes(own, name)) for name in (MMC4, COYO)}
    write_manifest(context, [fresh.get(name, row) for name, row in rows.items()])
    assert {fault.split("/")[0] for fault in verify(context.folder.root)} == {"shards"}
    corpus.remove(hosts=["bad.example"])
    assert verify(context.folder.root) == []


def test_both_ledgers_count_what_was_taken_down_and_add_up(corpus: Corpus) -> None:
    corpus.remove(hosts=["bad.example"])
    for name in ("main", "small"):
        ledger = read_json(corpus.context.folder.file("shards", name, "ledger.json"))
        assert ledger["sources"]["mmc4"]["documents"]["rejected"]["removed.on_request"] == 1
        assert ledger["sources"]["coyo"]["documents"]["rejected"]["removed.on_request"] == 1
        plan = read_json(corpus.context.folder.file("blend", f"{name}.json"))
        assert plan["decision"] == ledger["decision"]
        assert plan["samples"] == len(corpus.doc_ids(name))
    assert len(list(Path(corpus.context.folder.root, "decided").iterdir())) == 2


def test_what_was_taken_down_is_not_fetched_again(corpus: Corpus) -> None:
    corpus.remove(hosts=["bad.example"])
    context = replace(corpus.context, removed=load_removals(corpus.context.folder).digest)
    for partition in (MMC4, COYO, FLAN):
        assert fetch_admitted_images(context, partition).counters.get("fetched", 0) == 0
    stored = read_rows(context, tables.IMAGES, MMC4, columns=["image_url"])["image_url"].to_pylist()
    assert not [url for url in stored if url.startswith(BAD)]
    built = decide_and_write(InProcess(), context, load_manifest(context))
    account_for(InProcess(), context, built.decided)
    assert corpus.doc_ids("main") == ["a", "b", "e", "f", "q", "r", "s"]
    assert verify(context.folder.root) == []


def test_a_picture_goes_by_its_hash_and_stays_away_by_its_address(corpus: Corpus) -> None:
    corpus.remove(sha256=[sha256_hex(jpeg(9)).upper()])
    assert corpus.has(jpeg(9)) == []
    assert corpus.doc_ids("main") == ["a", "b", "c", "d", "e", "f", "p", "r", "s"]
    assert "http://h/9.jpg" in load_removals(corpus.context.folder).urls
    assert verify(corpus.context.folder.root) == []


def test_the_same_again_changes_nothing(corpus: Corpus) -> None:
    corpus.remove(urls=["http://h/6.jpg#top", "http://h/1.jpg"])
    before = corpus.tars()
    again = corpus.remove(urls=["http://h/6.jpg"])
    assert corpus.tars() == before
    assert again.rewritten == {"main": 0, "small": 0}
    assert verify(corpus.context.folder.root) == []


def test_a_run_that_was_killed_between_tar_and_note_goes_on(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("pipelines.takedown.shard_sets.save_result", die)
        with pytest.raises(KeyboardInterrupt):
            corpus.remove(hosts=["bad.example"])
    corpus.remove(hosts=["bad.example"])
    assert corpus.doc_ids("main") == ["a", "b", "e", "f", "q", "r", "s"]
    assert corpus.has(jpeg(3)) == []
    assert verify(corpus.context.folder.root) == []


def test_an_empty_list_and_a_set_of_an_earlier_build_are_refused(corpus: Corpus) -> None:
    with pytest.raises(CurateError, match="nothing to remove"):
        corpus.remove()
    path = Path(corpus.context.folder.file("blend", "small.json"))
    plan = json.loads(path.read_text())
    del plan["decision"]
    path.write_text(json.dumps(plan))
    with pytest.raises(CurateError, match="shard set small does not say by which decision"):
        corpus.remove(hosts=["bad.example"])
    assert corpus.has(jpeg(3)) != []
