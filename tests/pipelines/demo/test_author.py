from pathlib import Path

from pipelines.demo.author import Author
from pipelines.demo.documents import ImageRole, Variant, WorldImage, WorldSource
from pipelines.demo.site import Site


def author(folder: Path, seed: int = 0) -> Author:
    return Author(Site(folder, base_url="http://127.0.0.1:8907"), seed=seed)


def test_each_scene_is_described_once_in_its_article(tmp_path: Path) -> None:
    writer = author(tmp_path)
    for number in range(10):
        rng = writer.rng(WorldSource.PAGES, number)
        blocks = writer.write_article(rng, lang="en", joined=True, off_topic=False)
        images = [block for block in blocks if isinstance(block, WorldImage)]
        texts = [block for block in blocks if isinstance(block, str)]
        assert 1 <= len(images) <= 6
        for image in images:
            assert image.sentence is not None
            assert sum(text.startswith(image.sentence) for text in texts) == 1


def test_a_stray_has_no_sentence(tmp_path: Path) -> None:
    writer = author(tmp_path)
    rng = writer.rng(WorldSource.PAGES, 0)
    blocks = writer.write_article(rng, lang="en", joined=False, off_topic=True)
    (stray,) = [b for b in blocks if isinstance(b, WorldImage) and b.role is ImageRole.OFF_TOPIC]
    assert stray.sentence is None
    assert stray.expected == ("image.clip",)
    assert isinstance(blocks[0], str)


def test_captions_describe_their_picture_unless_told_otherwise(tmp_path: Path) -> None:
    writer = author(tmp_path)
    caption, image = writer.write_caption(writer.rng(WorldSource.PAIRS, 0), lang="en", off_topic=False)
    assert image.sentence == caption
    _, stray = writer.write_caption(writer.rng(WorldSource.PAIRS, 1), lang="en", off_topic=True)
    assert stray.role is ImageRole.OFF_TOPIC


def test_copies_follow_their_originals_in_english_only(tmp_path: Path) -> None:
    writer = author(tmp_path)
    captions = [
        writer.write_caption(writer.rng(WorldSource.PAIRS, n), lang="ja" if n % 2 else "en", off_topic=False)
        for n in range(160)
    ]
    seen: set[str] = set()
    for number, (_, image) in enumerate(captions):
        assert image.group is not None
        if image.variant is Variant.ORIGINAL:
            assert image.group not in seen
            seen.add(image.group)
        else:
            assert image.group in seen
            assert number % 2 == 0
    assert {image.variant for _, image in captions} == set(Variant)


def test_the_generator_of_a_document_depends_on_seed_source_and_number(tmp_path: Path) -> None:
    draws = {
        author(tmp_path, seed).rng(source, number).random()
        for seed in (0, 1)
        for source in (WorldSource.PAGES, WorldSource.MMC4)
        for number in (0, 1)
    }
    assert len(draws) == 8
