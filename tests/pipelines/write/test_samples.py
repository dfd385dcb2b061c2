from pathlib import Path

from curate.contract.reasons import FetchStatus
from pipelines.run import tables
from pipelines.run.context import RunContext
from pipelines.write.samples import load_samples
from shards.sample import Sample, SampleImage, SampleText, sample_record
from tests.pipelines.corpus import (
    CLIP,
    Doc,
    Picture,
    Row,
    chat,
    decide_all,
    doc,
    jpeg,
    make_context,
    pair,
    write,
    write_partition,
)

RULES = CLIP + "keep: {image.size: {min: 100}, image.clip: {min: 0.25}}\n"
P = "mmc4-00000-00000"


def load(context: RunContext, *doc_ids: str) -> dict[str, Sample]:
    """Decide the one partition and load some of its documents."""
    return load_samples(context, decide_all(context, P).decision, 0, P, doc_ids)


def samples_of(tmp_path: Path, *docs: Doc, recipe: str = RULES) -> dict[str, Sample]:
    context = make_context(tmp_path, recipe)
    write_partition(context, P, docs)
    return load(context, *(d.doc_id for d in docs))


def images_of(sample: Sample) -> list[SampleImage]:
    return [item for item in sample.items if isinstance(item, SampleImage)]


def test_items_keep_their_places_and_matches_are_renumbered_once(tmp_path: Path) -> None:
    sample = samples_of(
        tmp_path,
        doc(
            "a",
            Picture(number=1, sides=(9, 9)),
            Picture(number=2, sims=(0.25, 0.75)),
            "first",
            Picture(number=3, status=FetchStatus.HTTP_404),
            Picture(number=4, sims=(0.5, 0.125)),
            "second",
            Picture(number=5, sims=(0.125, 0.0625)),
        ),
    )["a"]
    kinds = [item.text if isinstance(item, SampleText) else item.url for item in sample.items]
    assert kinds == ["http://h/2.jpg", "first", "http://h/4.jpg", "second"]
    assert [(image.matched_item, image.matched_sim) for image in images_of(sample)] == [(3, 0.75), (1, 0.5)]
    assert sample_record(sample)["items"][0]["matched_item"] == 3


def test_images_carry_their_stored_bytes_and_scores(tmp_path: Path) -> None:
    sample = samples_of(tmp_path, doc("a", "text", Picture(number=2, sims=(0.75,), alt="a cat")))["a"]
    (image,) = images_of(sample)
    assert image.data == jpeg(2)
    assert (image.width, image.height, image.alt) == (18, 12, "a cat")
    assert (image.best_sim, image.similarity) == (0.75, [0.75])


def test_documents_carry_what_their_source_said(tmp_path: Path) -> None:
    talk = chat("c", "why", "because")
    made = samples_of(tmp_path, Doc(doc_id="a", items=("x",), meta='{"licence": "CC0", "n": [1, null]}'), talk)
    assert made["a"].meta == {"licence": "CC0", "n": [1, None]}
    assert (made["a"].url, made["a"].source, made["a"].kind) == ("http://h/a", "mmc4", "interleaved")
    assert [item.role for item in made["c"].items if isinstance(item, SampleText)] == ["user", "assistant"]


def test_documents_carry_where_they_come_from(tmp_path: Path) -> None:
    context = make_context(tmp_path)
    write_partition(context, P, [doc("a", "x")])
    rows = context.folder.read(tables.DOCUMENTS, P).to_pylist()
    stated = {"id": "MIT", "url": None, "text": "mit", "stated_in": "column license"}
    write(context, tables.DOCUMENTS, P, [rows[0] | {"origin": {"file": "m.jsonl", "row": 7}, "license": stated}])
    sample = load(context, "a")["a"]
    assert (sample.provenance, sample.license) == ({"file": "m.jsonl", "row": 7}, stated)


def test_what_a_page_states_goes_before_what_its_row_does(tmp_path: Path) -> None:
    sources = "sources: [{name: mmc4, type: pages, path: p.txt}]\nfetch: {contact: 'mailto:a@b.example'}\n"
    context = make_context(tmp_path, sources=sources)
    write_partition(context, P, [doc("a", "x"), doc("b", "y")])
    rows = context.folder.read(tables.DOCUMENTS, P).to_pylist()
    by_row, by_page = ({"id": name, "url": None, "text": None, "stated_in": "x"} for name in ("MIT", "CC0-1.0"))
    write(context, tables.DOCUMENTS, P, [row | {"license": by_row} for row in rows])
    facts: list[Row] = [{"doc_id": "a", "final_url": "http://h/z", "license": by_page}, {"doc_id": "b"}]
    write(context, tables.PAGE_FACTS, P, facts)
    made = load(context, "a", "b")
    assert (made["a"].license, made["b"].license) == (by_page, by_row)
    assert (made["a"].provenance, made["b"].provenance) == ({"final_url": "http://h/z"}, {})


def test_an_image_without_any_text_is_matched_to_nothing(tmp_path: Path) -> None:
    sample = samples_of(tmp_path, doc("a", Picture(number=1, sims=())), recipe=CLIP)["a"]
    (image,) = images_of(sample)
    assert (image.matched_item, image.matched_sim, image.best_sim) == (None, None, None)


def test_without_clip_there_are_no_scores(tmp_path: Path) -> None:
    sample = samples_of(tmp_path, pair("a", Picture(number=1)), recipe="")["a"]
    (image,) = images_of(sample)
    assert (image.matched_item, image.best_sim, image.similarity) == (None, None, None)
    assert sample_record(sample)["scores"] == {}


def test_only_the_wanted_documents_are_read(tmp_path: Path) -> None:
    context = make_context(tmp_path)
    # More images than a row group holds: the wanted ones lie in the first and the last.
    docs = [doc(f"{n:03d}", "text", Picture(number=n)) for n in range(150)]
    write_partition(context, P, docs)
    made = load(context, "149", "000", "000")
    assert sorted(made) == ["000", "149"]
    assert [images_of(made[name])[0].data for name in ("000", "149")] == [jpeg(0), jpeg(149)]
    assert load(context) == {}


def test_the_order_of_the_question_does_not_matter(tmp_path: Path) -> None:
    context = make_context(tmp_path)
    write_partition(context, P, [doc("b", "text", Picture(number=1)), doc("a", "text")])
    assert load(context, "a", "b") == load(context, "b", "a")


def test_matches_that_are_lost_are_made_anew(tmp_path: Path) -> None:
    context = make_context(tmp_path, RULES)
    write_partition(context, P, [doc("a", "text", Picture(number=1), Picture(number=2, sides=(9, 9)))])
    before = load(context, "a")
    decision = decide_all(context, P).decision
    Path(context.folder.path(decision.matches, P)).unlink()
    assert load_samples(context, decision, 0, P, ["a"]) == before
