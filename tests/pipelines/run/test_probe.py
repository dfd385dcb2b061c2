from pathlib import Path

from pipelines.run.probe import ProbeFolder
from pipelines.run.tables import FACTS, ITEMS, MANIFEST
from tests.pipelines.corpus import doc, make_context, measured, write, write_partition

P = "mmc4-00000-00000"


def test_a_probe_reads_its_documents_and_finds_nothing_done(tmp_path: Path) -> None:
    context = make_context(tmp_path)
    write_partition(context, P, [doc("a", "one"), doc("b", "two")])
    probe = ProbeFolder(context.folder.root, ("b",))
    assert probe.read(ITEMS, P)["doc_id"].to_pylist() == ["b"]
    assert probe.read(ITEMS, P, columns=["text", "doc_id"])["text"].to_pylist() == ["two"]
    stored, seen = context.folder.stamp(ITEMS, P), probe.stamp(ITEMS, P)
    assert stored is not None
    assert seen is not None
    assert (seen.digest, probe.digest(ITEMS, P)) == (stored.digest, stored.digest)
    assert seen.fingerprint != stored.fingerprint
    assert probe.stamp(FACTS, P) is None


def test_a_table_without_documents_is_read_whole(tmp_path: Path) -> None:
    context = make_context(tmp_path)
    write_partition(context, P, [doc("a", "one")])
    measured(context, P)
    assert ProbeFolder(context.folder.root, ("b",)).read(MANIFEST).num_rows == 1


def test_a_probe_writes_nothing(tmp_path: Path) -> None:
    context = make_context(tmp_path)
    probe = ProbeFolder(context.folder.root, ("b",))
    probe.write(ITEMS, P, rows=ITEMS.schema.empty_table(), made_from="v1")
    assert list(tmp_path.iterdir()) == []
    write(context, ITEMS, P, [])
    assert len(list(tmp_path.rglob("*.parquet"))) == 1
