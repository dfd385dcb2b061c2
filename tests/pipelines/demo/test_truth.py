from pathlib import Path

from curate.contract.reasons import Kind
from pipelines.demo.documents import ImageRole, Variant, WorldDocument, WorldImage, WorldSource
from pipelines.demo.truth import read_truth, truth_of, write_truth


def test_truth_survives_its_file(tmp_path: Path) -> None:
    scene = WorldImage(
        url="http://h/a.jpg",
        role=ImageRole.SCENE,
        sentence="Ein Stern.",
        group="picture-1",
        variant=Variant.EXACT,
        expected=("dedup.exact",),
    )
    boilerplate = WorldImage(url="http://h/logo.png", role=ImageRole.BOILERPLATE)
    page = WorldDocument(
        source=WorldSource.PAGES,
        kind=Kind.INTERLEAVED,
        url="http://h/p.html",
        lang="de",
        blocks=("Größe.", scene),
        boilerplate=(boilerplate,),
        expected=("text.language",),
    )
    truth = truth_of(page, 7)
    assert truth.images == (scene, boilerplate)
    write_truth(tmp_path / "truth.jsonl", [truth, truth])
    assert read_truth(tmp_path / "truth.jsonl") == (truth, truth)
