import hashlib
import json
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq

from curate.contract.reasons import ALL_REASONS
from pipelines.demo.documents import ImageRole
from pipelines.demo.pages import BOILERPLATE_SENTENCES
from pipelines.demo.truth import read_truth
from pipelines.demo.world import World, build_world
from tests.pipelines.demo.language import identify


def digest(folder: Path) -> str:
    hashes = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        hashes.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return hashes.hexdigest()


def test_the_same_arguments_write_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "other"):
        build_world(tmp_path / name, num_docs=24, seed=5, base_url="http://127.0.0.1:8907")
    build_world(tmp_path / "third", num_docs=24, seed=6, base_url="http://127.0.0.1:8907")
    assert digest(tmp_path / "one") == digest(tmp_path / "other")
    assert digest(tmp_path / "one") != digest(tmp_path / "third")


def test_the_lists_hold_as_many_documents_as_asked_for(world: World) -> None:
    counts = (
        len(world.pages.read_text().splitlines()),
        len(world.mmc4.read_text().splitlines()),
        pq.read_table(world.pairs).num_rows,
        len(world.instructions.read_text().splitlines()),
    )
    assert counts == (27, 12, 15, 6)
    assert Counter(document.source for document in read_truth(world.truth)) == {
        "pages": 27,
        "mmc4": 12,
        "pairs": 15,
        "instructions": 6,
    }


def test_a_tiny_world_is_written_too(tmp_path: Path) -> None:
    small = build_world(tmp_path, num_docs=1, seed=0, base_url="http://127.0.0.1:8907")
    assert len(read_truth(small.truth)) == 1


def test_every_sound_image_is_on_the_site(world: World) -> None:
    for document in read_truth(world.truth):
        for image in document.images:
            if image.role in (ImageRole.SCENE, ImageRole.OFF_TOPIC, ImageRole.LOGO, ImageRole.BOILERPLATE):
                path = image.url.removeprefix(f"{world.base_url}/").removeprefix("go/").split("?")[0]
                assert (world.folder / "site" / path).is_file()


def test_expected_reasons_are_known_ones(world: World) -> None:
    truth = read_truth(world.truth)
    reasons = {code for document in truth for code in document.expected}
    reasons |= {code for document in truth for image in document.images for code in image.expected}
    assert reasons <= ALL_REASONS


def test_texts_are_of_their_language(world: World) -> None:
    truth = {(document.source, document.row): document for document in read_truth(world.truth)}
    texts = [("pairs", row, pair["text"]) for row, pair in enumerate(pq.read_table(world.pairs).to_pylist())]
    for row, line in enumerate(world.mmc4.read_text().splitlines()):
        if not truth["mmc4", row].expected or truth["mmc4", row].lang != "en":  # type: ignore[index]
            texts.append(("mmc4", row, " ".join(json.loads(line)["text_list"])))
    assert len(texts) == 25
    for source, row, text in texts:
        lang, probability = identify(text)
        assert lang == truth[source, row].lang  # type: ignore[index]
        assert probability >= 0.65 or lang != "en"


def test_broken_lines_come_last(world: World) -> None:
    *_, malformed, hollow = world.mmc4.read_text().splitlines()
    assert json.loads(hollow)["text_list"] == []
    assert malformed.startswith("{")
    assert not malformed.endswith("}")


def test_a_page_is_an_article_within_boilerplate(world: World) -> None:
    page = next(d for d in read_truth(world.truth) if d.source == "pages" and not d.expected)
    text = (world.folder / "site" / (page.url or "").removeprefix(f"{world.base_url}/")).read_text()
    assert all(sentence in text for sentence in BOILERPLATE_SENTENCES)
    assert all(image.sentence in text for image in page.images if image.sentence)
