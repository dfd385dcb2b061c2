from pathlib import Path

from curate.contract.reasons import Kind
from pipelines.demo.documents import ImageRole, SourceName, Variant, WorldDocument, WorldImage
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
    frame = WorldImage(url="http://h/logo.png", role=ImageRole.FRAME)
    page = WorldDocument(
        source=SourceName.PAGES,
        kind=Kind.INTERLEAVED,
        url="http://h/p.html",
        lang="de",
        blocks=("Größe.", scene),
        frame=(frame,),
        expected=("text.language",),
    )
    truth = truth_of(page, 7)
    assert truth.images == (scene, frame)
    write_truth(tmp_path / "truth.jsonl", [truth, truth])
    assert read_truth(tmp_path / "truth.jsonl") == (truth, truth)
