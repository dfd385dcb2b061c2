import random
from pathlib import Path

from pipelines.demo.author import Author, Block
from pipelines.demo.documents import ImageRole, WorldImage
from pipelines.demo.faults import FaultKind, FaultRule, FaultyUrl, read_faults
from pipelines.demo.planting import (
    NUM_FREQUENT,
    fault_image,
    insert,
    plant_clutter,
    plant_detours,
    plant_faults,
    plant_series,
)
from pipelines.demo.site import Site

BASE = "http://127.0.0.1:8907"
FAULTS = tuple(
    FaultyUrl(path=f"/f{n}.jpg", expected=("fetch.timeout",), rule=FaultRule(kind=FaultKind.HANG)) for n in range(5)
)


def articles(num_articles: int) -> list[list[Block]]:
    return [
        ["First.", WorldImage(url=f"{BASE}/images/{n}.jpg", role=ImageRole.SCENE, sentence="A star."), "A star."]
        for n in range(num_articles)
    ]


def images(blocks: list[Block]) -> list[WorldImage]:
    return [block for block in blocks if isinstance(block, WorldImage)]


def test_faults_are_dealt_out_in_turn(tmp_path: Path) -> None:
    site, dealt = Site(tmp_path, base_url=BASE), articles(2)
    plant_faults(dealt, FAULTS, site, random.Random(0))
    assert [len(images(blocks)) - 1 for blocks in dealt] == [3, 2]
    site.finish()
    assert len(read_faults(tmp_path)) == 5


def test_without_articles_nothing_is_planted(tmp_path: Path) -> None:
    site = Site(tmp_path, base_url=BASE)
    plant_faults([], FAULTS, site, random.Random(0))
    site.finish()
    assert read_faults(tmp_path) == {}


def test_the_first_paragraph_stays_first() -> None:
    image = WorldImage(url=f"{BASE}/a.jpg", role=ImageRole.LOGO)
    rng = random.Random(1)
    for _ in range(20):
        blocks: list[Block] = ["First."]
        insert(blocks, image, rng)
        assert blocks == ["First.", image]


def test_clutter_appears_at_about_its_shares(tmp_path: Path) -> None:
    site, rng = Site(tmp_path, base_url=BASE), random.Random(2)
    found = []
    for number, blocks in enumerate(articles(400)):
        plant_clutter(blocks, site, rng, number=number)
        found += [image.role for image in images(blocks)]
    assert 70 <= found.count(ImageRole.LOGO) <= 130
    assert 35 <= found.count(ImageRole.PIXEL) <= 85
    assert found.count(ImageRole.BANNER) >= 15
    assert found.count(ImageRole.DEAD) >= 10


def test_the_series_needs_a_world_of_some_size(tmp_path: Path) -> None:
    author = Author(Site(tmp_path, base_url=BASE), seed=0)
    few, many = articles(NUM_FREQUENT - 1), articles(NUM_FREQUENT + 5)
    plant_series(few, author, random.Random(3))
    plant_series(many, author, random.Random(3))
    assert all(len(images(blocks)) == 1 for blocks in few)
    series = [image.url for blocks in many for image in images(blocks) if image.role is ImageRole.FREQUENT]
    assert len(series) == NUM_FREQUENT
    assert len(set(series)) == 1


def test_detours_leave_the_picture_sound(tmp_path: Path) -> None:
    site, roads = Site(tmp_path, base_url=BASE), articles(5)
    plant_detours(roads, site)
    site.finish()
    rules = read_faults(tmp_path)
    assert rules["/images/1.jpg"].kind is FaultKind.BUSY
    assert rules["/images/2.jpg"].kind is FaultKind.SLOW
    assert rules["/go/images/3.jpg"].location == "/images/3.jpg"
    moved = images(roads[3])[0]
    assert moved.url == f"{BASE}/go/images/3.jpg"
    assert moved.expected == ()


def test_fault_images_have_the_role_of_their_reason(tmp_path: Path) -> None:
    site = Site(tmp_path, base_url=BASE)
    reasons = ("fetch.http_410", "fetch.robots_disallowed", "fetch.timeout")
    roles = [fault_image(FaultyUrl(path="/x.jpg", expected=(reason,)), site).role for reason in reasons]
    assert roles == [ImageRole.DEAD, ImageRole.ROBOTS, ImageRole.FAULT]
