from pathlib import Path

import pytest

from curate.contract.errors import CurateError
from curate.report.data import TruthFigure
from pipelines.demo.documents import ImageRole, Variant, WorldImage
from pipelines.demo.evaluate import evaluate
from pipelines.demo.truth import TruthDocument, read_truth
from pipelines.demo.world import World
from tests.pipelines.demo.fake_run import FakeRun

ASSIGNED = "images assigned to their own sentence"
EXACT = "planted exact duplicates found"
FOREIGN = "wrong-language documents rejected"
LOGOS = "logos and tracking pixels rejected"
BOILERPLATE = "images of boilerplate kept out"
DEAD = "dead URLs counted"
ROBOTS = "disallowed by robots.txt, not requested"


@pytest.fixture
def run(world: World) -> FakeRun:
    fake = FakeRun()
    for document in read_truth(world.truth):
        fake.add(document)
    return fake


def figures(run: FakeRun, world: World, out: Path) -> dict[str, TruthFigure]:
    return {figure.name: figure for figure in evaluate(run.write(out), world)}


def images(world: World, *roles: ImageRole) -> list[tuple[TruthDocument, WorldImage]]:
    documents = [document for document in read_truth(world.truth) if not document.expected]
    return [(document, image) for document in documents for image in document.images if image.role in roles]


def test_a_run_that_got_everything_right_scores_one(run: FakeRun, world: World, tmp_path: Path) -> None:
    scored = figures(run, world, tmp_path)
    assert all(figure.passed for figure in scored.values())
    for name in (ASSIGNED, EXACT, FOREIGN, LOGOS, BOILERPLATE, DEAD, ROBOTS):
        assert scored[name].value == 1.0
        assert scored[name].num_cases > 0


def test_a_wrong_match_lowers_the_assignment(run: FakeRun, world: World, tmp_path: Path) -> None:
    for match in run.matches[: len(run.matches) // 2]:
        match["matched_position"] = None
    figure = figures(run, world, tmp_path)[ASSIGNED]
    assert figure.value is not None
    assert figure.value < 0.6
    assert not figure.passed


def test_a_kept_copy_is_a_missed_duplicate(run: FakeRun, world: World, tmp_path: Path) -> None:
    copy = next(i for _, i in images(world, ImageRole.SCENE) if i.variant is Variant.EXACT)
    run.judge(*run.place_of(copy.url), None)
    assert not figures(run, world, tmp_path)[EXACT].passed


def test_keeping_the_later_copy_instead_of_the_first_is_wrong(run: FakeRun, world: World, tmp_path: Path) -> None:
    scenes = [i for _, i in images(world, ImageRole.SCENE)]
    copy = next(i for i in scenes if i.variant is Variant.EXACT)
    original = next(i for i in scenes if i.group == copy.group and i.variant is Variant.ORIGINAL)
    run.judge(*run.place_of(original.url), "dedup.exact")
    run.judge(*run.place_of(copy.url), None)
    assert not figures(run, world, tmp_path)[EXACT].passed


def test_a_copy_dropped_before_deduplication_is_no_case(run: FakeRun, world: World, tmp_path: Path) -> None:
    before = figures(run, world, tmp_path / "before")[EXACT].num_cases
    copy = next(i for _, i in images(world, ImageRole.SCENE) if i.variant is Variant.EXACT)
    run.judge(*run.place_of(copy.url), "image.clip")
    after = figures(run, world, tmp_path / "after")[EXACT]
    assert after.num_cases == before - 1
    assert after.passed


def test_a_kept_foreign_document_is_told(run: FakeRun, world: World, tmp_path: Path) -> None:
    foreign = [verdict["doc_id"] for verdict in run.verdicts if verdict["reason"] == "text.language"]
    run.judge(foreign[0], -1, None)
    figure = figures(run, world, tmp_path)[FOREIGN]
    assert figure.value == pytest.approx(1 - 1 / len(foreign))


@pytest.mark.parametrize("role", [ImageRole.LOGO, ImageRole.PIXEL])
def test_one_kept_logo_or_pixel_fails(run: FakeRun, world: World, tmp_path: Path, role: ImageRole) -> None:
    document, logo = images(world, role)[0]
    place = next(
        (row["doc_id"], row["position"])
        for row in run.items
        if row.get("image_url") == logo.url and row["doc_id"] == f"{document.source}-{document.row:05d}"
    )
    run.judge(*place, None)
    assert not figures(run, world, tmp_path)[LOGOS].passed


def test_a_kept_image_of_boilerplate_fails(run: FakeRun, world: World, tmp_path: Path) -> None:
    document, promotion = next((d, i) for d, i in images(world, ImageRole.BOILERPLATE) if "promo" in i.url)
    doc_id = f"{document.source}-{document.row:05d}"
    run.items.append({"doc_id": doc_id, "position": 900, "modality": "image", "image_url": promotion.url})
    assert not figures(run, world, tmp_path)[BOILERPLATE].passed


def test_a_dead_url_that_the_run_lost_is_not_counted(run: FakeRun, world: World, tmp_path: Path) -> None:
    _, dead = images(world, ImageRole.DEAD)[0]
    run.items = [row for row in run.items if row.get("image_url") != dead.url]
    assert not figures(run, world, tmp_path)[DEAD].passed


def test_the_servers_counts_prove_what_was_requested(run: FakeRun, world: World, tmp_path: Path) -> None:
    out = run.write(tmp_path)
    quiet = {figure.name: figure for figure in evaluate(out, world, request_counts={"/robots.txt": 1})}
    nosy = {figure.name: figure for figure in evaluate(out, world, request_counts={"/private/portrait-0.jpg": 1})}
    assert quiet[ROBOTS].passed
    assert not nosy[ROBOTS].passed


def test_a_run_over_something_else_is_an_error(world: World, tmp_path: Path) -> None:
    with pytest.raises(CurateError, match="no document of the demo world"):
        evaluate(FakeRun().write(tmp_path), world)


def test_a_partial_run_is_judged_by_what_it_read(world: World, tmp_path: Path) -> None:
    fake = FakeRun()
    for document in read_truth(world.truth)[:3]:
        fake.add(document)
    scored = figures(fake, world, tmp_path)
    assert scored[FOREIGN].value is None
    assert scored[FOREIGN].passed
    assert scored[ASSIGNED].num_cases > 0
