from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.contract.errors import CurateError
from curate.contract.reasons import IngestReason
from pipelines.decide.facts_table import gather_admission, gather_facts, load_facts, manifest_row
from pipelines.run import tables
from pipelines.run.context import RunContext
from pipelines.run.folder import FINGERPRINT_KEY
from pipelines.run.tables import CLIP_MEASURES, FACTS, IMAGES, PAGE_VERDICTS
from tests.pipelines.corpus import CLIP, Picture, doc, make_context, probe, set_aside, write, write_partition

P = "mmc4-00000-00000"
DOCS = [doc("b", "text", Picture(number=1), Picture(number=2)), doc("a", "more", Picture(number=3))]


@pytest.fixture
def context(tmp_path: Path) -> RunContext:
    made = make_context(tmp_path, CLIP)
    write_partition(made, P, DOCS, faults=[("broken", IngestReason.MALFORMED_RECORD)])
    return made


def path_of(context: RunContext) -> Path:
    return Path(context.folder.path(FACTS, P))


def test_facts_are_gathered_once_and_say_what_the_partition_holds(context: RunContext) -> None:
    report = gather_facts(context, P)
    assert (report.stage, report.skipped) == ("gather_facts", False)
    stamp = context.folder.stamp(FACTS, P)
    assert stamp is not None
    assert manifest_row(report) == {
        "partition": P,
        "num_docs": 3,
        "num_images": 3,
        "content": stamp.fingerprint,
        "facts": stamp.digest,
        "embeddings": context.folder.digest(CLIP_MEASURES, P),
    }
    again = gather_facts(context, P)
    assert again.skipped
    assert manifest_row(again) == manifest_row(report)


def test_without_clip_there_are_no_scores_and_no_embeddings(context: RunContext) -> None:
    bare = make_context(Path(context.folder.root))
    Path(context.folder.path(CLIP_MEASURES, P)).unlink()
    assert manifest_row(gather_facts(bare, P))["embeddings"] == ""
    assert load_facts(bare, P).images["best_sim"].null_count == 3


def test_a_changed_measure_a_page_fault_and_poison_are_gathered_anew(context: RunContext) -> None:
    seen = {manifest_row(gather_facts(context, P))["content"]}
    row = {"doc_id": "b", "position": -1, "stage": "fetch_pages", "reason": "fetch.http_404"}
    write(context, PAGE_VERDICTS, P, [row])
    seen.add(manifest_row(gather_facts(context, P))["content"])
    set_aside(context, P, "a")
    report = gather_facts(context, P)
    assert not report.skipped
    seen.add(manifest_row(report)["content"])
    write_partition(context, P, [*DOCS, doc("c", "text")])
    seen.add(manifest_row(gather_facts(context, P))["content"])
    assert len(seen) == 4
    faults = load_facts(context, P).documents["fault_reason"].to_pylist()
    assert faults == ["fetch.http_404", "engine.poison", None]


def test_columns_are_read_alone(context: RunContext) -> None:
    gather_facts(context, P)
    facts = load_facts(context, P, columns=["document", "position", "status"])
    assert facts.images.column_names == ["document", "position", "status"]
    assert facts.documents.num_rows == 3


@pytest.mark.parametrize("columns", [None, ["document", "position", "image_id"]])
@pytest.mark.parametrize("damage", ["missing", "cut", "other columns", "another type", "pages"])
def test_what_is_missing_damaged_or_of_another_version_is_made_anew(
    context: RunContext, damage: str, columns: list[str] | None
) -> None:
    gather_facts(context, P)
    path, wanted = path_of(context), context.folder.read(FACTS, P)
    whole = path.read_bytes()
    stamped = pq.read_schema(path).metadata
    path.unlink()
    if damage == "cut":
        path.write_bytes(whole[:100])
    elif damage == "pages":  # the footer, and the stamp in it, are as they were
        end = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
        path.write_bytes(whole[:4] + b"\xff" * (end - 4) + whole[end:])
        assert context.folder.stamp(FACTS, P) is not None
    elif damage == "other columns":
        pq.write_table(wanted.drop_columns(["image_id"]).replace_schema_metadata(stamped), path)
    elif damage == "another type":
        place = wanted.schema.get_field_index("image_id")
        old = wanted.set_column(place, "image_id", wanted["image_id"].cast(pa.binary()))
        pq.write_table(old.replace_schema_metadata(stamped), path)
    facts = load_facts(context, P, columns=columns)
    assert facts.images["image_id"].to_pylist() == wanted["image_id"].to_pylist()[3:]
    assert context.folder.read(FACTS, P).equals(wanted)
    assert (pq.read_schema(path).metadata or {})[FINGERPRINT_KEY] == stamped[FINGERPRINT_KEY]
    assert gather_facts(context, P).skipped


def test_a_stage_that_finds_its_facts_damaged_goes_on(context: RunContext) -> None:
    before = manifest_row(gather_facts(context, P))
    path = path_of(context)
    whole = path.read_bytes()
    end = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    path.write_bytes(whole[:4] + b"\xff" * (end - 4) + whole[end:])
    assert manifest_row(gather_facts(context, P)) == before
    assert path.read_bytes() == whole


def test_facts_that_cannot_be_made_name_what_is_missing(context: RunContext) -> None:
    Path(context.folder.path(IMAGES, P)).unlink()
    with pytest.raises(CurateError, match=r"fetch/images/mmc4-00000-00000\.parquet"):
        load_facts(context, P)


def test_a_probe_gathers_its_documents_and_leaves_nothing_behind(context: RunContext) -> None:
    report = gather_facts(probe(context, "a"), P)
    assert not report.skipped
    assert context.folder.stamp(FACTS, P) is None


def test_what_is_known_before_images_are_fetched_is_not_stored(context: RunContext) -> None:
    for table in (IMAGES, CLIP_MEASURES):
        Path(context.folder.path(table, P)).unlink()
    facts = gather_admission(context, P)
    assert facts.documents["doc_id"].to_pylist() == ["b", "a", "broken"]
    assert facts.documents["fault_reason"].to_pylist() == [None, None, "ingest.malformed_record"]
    assert facts.images["image_url"].to_pylist() == [f"http://h/{n}.jpg" for n in (1, 2, 3)]
    assert facts.images["status"].null_count == 3
    assert not path_of(context).exists()


def test_a_probe_sees_the_admission_of_its_documents(context: RunContext) -> None:
    facts = gather_admission(probe(context, "a"), P)
    assert facts.documents["doc_id"].to_pylist() == ["a"]
    assert facts.images["image_url"].to_pylist() == ["http://h/3.jpg"]


def test_a_partition_without_items_has_facts(context: RunContext) -> None:
    write_partition(context, P, [])
    write(context, tables.INGEST_VERDICTS, P, [])
    assert manifest_row(gather_facts(context, P))["num_docs"] == 0
    assert load_facts(context, P).images.num_rows == 0
