import pyarrow as pa
import pytest

from curate.contract.errors import CurateError, SchemaError
from curate.report.outcomes import resolve
from tests.curate.report import tables as make


def test_everything_ends_with_its_own_reason_or_its_documents() -> None:
    part = make.mixed_partition()
    outcomes = resolve(part.documents, part.items, part.verdicts)
    assert outcomes.doc_reasons.to_pylist() == [None, "doc.images", "text.language", None]
    assert outcomes.image_reasons.to_pylist() == [None, "image.clip", "fetch.http_404", "doc.rejected"]
    assert outcomes.image_stages.to_pylist() == [None, "keep", "fetch_images", "admit"]
    assert outcomes.image_docs.tolist() == [0, 0, 1, 2]


def test_find_gives_documents_then_images() -> None:
    part = make.mixed_partition()
    outcomes = resolve(part.documents, part.items, part.verdicts)
    wanted = make.verdicts(*[(d, p, "s", "r") for d, p in (("b", -1), ("a", 3), ("a", 0), ("zz", 1), ("a", -2))])
    assert outcomes.find(wanted["doc_id"], wanted["position"]).tolist() == [1, 5, -1, -1, -1]


def test_an_empty_partition_resolves() -> None:
    outcomes = resolve(make.documents(), make.items(), make.verdicts())
    assert len(outcomes.doc_reasons) == len(outcomes.image_reasons) == 0


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (("zz", -1, "admit", "text.words"), "unknown document or image: doc_id=zz position=-1"),
        (("a", 9, "keep", "image.clip"), "unknown document or image: doc_id=a position=9"),
        (("a", 0, "keep", "image.clip"), "unknown document or image: doc_id=a position=0"),  # a text item
        (("a", -2, "keep", "image.clip"), "unknown document or image: doc_id=a position=-2"),
        (("d", -1, "keep", "image.pretty"), "unknown reason: doc_id=d position=-1 stage=keep reason=image.pretty"),
        (("d", -1, "whim", "text.words"), "unknown stage: doc_id=d position=-1 stage=whim"),
        (("b", -1, "blend", "blend.not_drawn"), "second verdict for one thing: doc_id=b position=-1"),
        (("a", 3, "dedup", "dedup.exact"), "second verdict for one thing: doc_id=a position=3"),
    ],
)
def test_a_verdict_that_does_not_fit_is_named(row: tuple[str, int, str, str], problem: str) -> None:
    part = make.mixed_partition()
    rows = [tuple(r[n] for n in ("doc_id", "position", "stage", "reason")) for r in part.verdicts.to_pylist()]
    with pytest.raises(CurateError, match=problem):
        resolve(part.documents, part.items, make.verdicts(*rows, row))


def test_only_a_few_offenders_are_spelt_out() -> None:
    rows = [(f"x{i}", -1, "admit", "text.words") for i in range(10)]
    with pytest.raises(CurateError, match=r"doc_id=x2 .* and 7 more"):
        resolve(make.documents(("a", "s", "text")), make.items(), make.verdicts(*rows))


def test_repeated_documents_and_images_are_named() -> None:
    twice = make.documents(("a", "s", "text"), ("a", "s", "text"))
    with pytest.raises(CurateError, match="a document that occurs twice: doc_id=a"):
        resolve(twice, make.items(), make.verdicts())
    one = make.documents(("a", "s", "pair"))
    pictures = make.items(a="i")
    with pytest.raises(CurateError, match="an image that occurs twice: doc_id=a position=0"):
        resolve(one, pa.concat_tables([pictures, pictures]), make.verdicts())
    with pytest.raises(CurateError, match="an image of an unknown document: doc_id=q"):
        resolve(one, make.items(q="i"), make.verdicts())


def test_a_missing_column_is_a_schema_error() -> None:
    part = make.mixed_partition()
    with pytest.raises(SchemaError, match="'stage'"):
        resolve(part.documents, part.items, part.verdicts.drop_columns(["stage"]))
