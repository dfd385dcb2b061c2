from curate.contract.reasons import Kind
from pipelines.demo.documents import ImageRole, WorldDocument, WorldImage, WorldSource


def test_blocks_are_told_apart_in_order() -> None:
    image = WorldImage(url="http://h/a.jpg", role=ImageRole.SCENE)
    other = WorldImage(url="http://h/b.jpg", role=ImageRole.LOGO)
    document = WorldDocument(
        source=WorldSource.MMC4, kind=Kind.INTERLEAVED, url=None, lang="en", blocks=("one", image, "two", other)
    )
    assert document.texts == ("one", "two")
    assert document.images == (image, other)
