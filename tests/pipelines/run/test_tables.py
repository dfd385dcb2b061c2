from pathlib import Path

from pipelines.run import tables
from pipelines.run.folder import RunFolder
from pipelines.run.tables import Table

ALL = [value for value in vars(tables).values() if isinstance(value, Table)]


def test_no_two_tables_lie_at_one_place() -> None:
    shared = {tables.ITEMS.place}  # made by two stages, of other partitions each
    places = [table.place for table in ALL if table.place not in shared]
    assert len(places) == len(set(places)) == len(ALL) - 2


def test_tables_of_partitions_and_of_the_run() -> None:
    folder = RunFolder("s3://bucket/run")
    assert folder.path(tables.IMAGES, "mmc4-00000-00000") == "s3://bucket/run/fetch/images/mmc4-00000-00000.parquet"
    assert folder.path(tables.FACTS, "p") == "s3://bucket/run/facts/p.parquet"
    assert folder.path(tables.MANIFEST) == "s3://bucket/run/partitions.parquet"
    assert (tables.IMAGES.name, tables.FACTS.name) == ("images", "facts")


def test_a_table_is_written_with_its_schema_and_read_back(tmp_path: Path) -> None:
    folder = RunFolder(str(tmp_path))
    folder.write(tables.MANIFEST, rows=tables.MANIFEST.schema.empty_table(), made_from="v1", note="n")
    stamp = folder.stamp(tables.MANIFEST)
    assert stamp is not None
    assert (stamp.fingerprint, stamp.note, stamp.digest) == ("v1", "n", folder.digest(tables.MANIFEST))
    assert folder.read(tables.MANIFEST, columns=["content"]).column_names == ["content"]
