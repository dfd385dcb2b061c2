import shutil
from pathlib import Path

from pipelines.demo.documents import ImageRole, WorldImage, WorldSource
from pipelines.demo.outcomes import read_outcomes
from pipelines.demo.truth import TruthDocument
from tests.pipelines.demo.fake_run import FakeRun

PAGE = "http://h/p.html"


def document(source: WorldSource, url: str | None, *urls: str) -> TruthDocument:
    images = tuple(WorldImage(url=u, role=ImageRole.SCENE, sentence="A red star.") for u in urls)
    return TruthDocument(source=source, row=0, url=url, lang="en", expected=(), images=images)


def test_joins_by_source_page_and_image_url(tmp_path: Path) -> None:
    run = FakeRun()
    doc_id = run.add(document(WorldSource.PAGES, PAGE, "http://h/a.jpg", "http://h/b.jpg"))
    run.judge(doc_id, 2, "image.clip")
    outcomes = read_outcomes(run.write(tmp_path))
    (first,) = outcomes.images["pages", PAGE, "http://h/a.jpg"]
    (second,) = outcomes.images["pages", PAGE, "http://h/b.jpg"]
    assert first.kept
    assert first.matched_text == "A red star. And more."
    assert not second.kept
    assert second.reason == "image.clip"
    assert outcomes.documents == {("pages", PAGE): None}


def test_a_pair_goes_by_its_image_url_and_its_documents_verdict(tmp_path: Path) -> None:
    run = FakeRun()
    doc_id = run.add(document(WorldSource.PAIRS, None, "http://h/a.jpg"))
    run.judge(doc_id, -1, "text.language")
    outcomes = read_outcomes(run.write(tmp_path))
    assert outcomes.documents == {("pairs", "http://h/a.jpg"): "text.language"}
    assert outcomes.images["pairs", "", "http://h/a.jpg"][0].reason == "text.language"


def test_order_follows_the_recipe_not_the_alphabet(tmp_path: Path) -> None:
    run = FakeRun()
    run.add(document(WorldSource.MMC4, PAGE, "http://h/a.jpg"))
    run.add(document(WorldSource.PAGES, PAGE, "http://h/a.jpg"))
    outcomes = read_outcomes(run.write(tmp_path, sources=("pages", "mmc4")))
    pages, mmc4 = (outcomes.images[name, PAGE, "http://h/a.jpg"][0] for name in ("pages", "mmc4"))
    assert pages.order < mmc4.order


def test_an_image_left_over_by_the_blend_was_fit_to_keep(tmp_path: Path) -> None:
    run = FakeRun()
    doc_id = run.add(document(WorldSource.PAGES, PAGE, "http://h/a.jpg"))
    run.judge(doc_id, -1, "blend.not_drawn")
    assert read_outcomes(run.write(tmp_path)).images["pages", PAGE, "http://h/a.jpg"][0].kept


def test_other_decisions_of_the_folder_are_not_read(tmp_path: Path) -> None:
    run = FakeRun()
    doc_id = run.add(document(WorldSource.PAGES, PAGE, "http://h/a.jpg"))
    run.write(tmp_path)
    other = FakeRun()
    other.judge(doc_id, -1, "text.language")
    other.write(tmp_path / "other")
    shutil.copytree(next((tmp_path / "other" / "decided").iterdir()), tmp_path / "decided" / "fedcba9876543210")
    assert read_outcomes(tmp_path).documents == {("pages", PAGE): None}
