"""Puts the web's faults into sound articles."""

import random
from collections.abc import Sequence
from dataclasses import replace

from pipelines.demo.author import Author, Block
from pipelines.demo.documents import ImageRole, WorldImage, WorldSource
from pipelines.demo.faults import FaultyUrl
from pipelines.demo.site import Site

SHARE_LOGO = 0.25
SHARE_PIXEL = 0.15
SHARE_BANNER = 0.08
SHARE_DEAD = 0.06
NUM_FREQUENT = 14
"""Documents that show the series picture; the demo recipe admits ten."""


def plant_clutter(blocks: list[Block], site: Site, rng: random.Random, *, number: int) -> None:
    """Insert logos, a tracking pixel, a banner or a dead image into one article, each with its own probability."""
    if rng.random() < SHARE_LOGO:
        insert(blocks, site.logo(rng.randrange(100)), rng)
    if rng.random() < SHARE_PIXEL:
        insert(blocks, site.pixel(number), rng)
    if rng.random() < SHARE_BANNER:
        insert(blocks, site.banner(), rng)
    if rng.random() < SHARE_DEAD:
        # No such file: the server answers 404 by itself.
        url = site.url(f"/images/lost/{number:05d}.jpg")
        insert(blocks, WorldImage(url=url, role=ImageRole.DEAD, expected=("fetch.http_404",)), rng)


def plant_faults(articles: Sequence[list[Block]], faults: Sequence[FaultyUrl], site: Site, rng: random.Random) -> None:
    """Deal ``faults`` out to the articles in turn, so that even a small world has all of them."""
    for number, fault in enumerate(faults if articles else ()):
        site.add_fault(fault)
        insert(articles[number % len(articles)], fault_image(fault, site), rng)


def plant_series(articles: Sequence[list[Block]], author: Author, rng: random.Random) -> None:
    """Show one picture, under one URL, in NUM_FREQUENT articles; a world too small for that has none."""
    if len(articles) < NUM_FREQUENT:
        return
    picture = author.draw_series_picture(author.rng(WorldSource.PAGES, "series"))
    for blocks in rng.sample(list(articles), NUM_FREQUENT):
        insert(blocks, picture, rng)


def plant_detours(articles: Sequence[list[Block]], site: Site) -> None:
    """Let a few sound pictures arrive late: after a 503, after a wait, after a redirect."""
    for number, blocks in enumerate(articles[1:13]):
        index = next(index for index, block in enumerate(blocks) if isinstance(block, WorldImage) and block.sentence)
        image = blocks[index]
        if not isinstance(image, WorldImage):
            continue
        path = image.url.removeprefix(site.base_url)
        if number % 3 == 0:
            site.busy(path)
        elif number % 3 == 1:
            site.slow(path)
        else:
            blocks[index] = replace(image, url=site.url(site.moved(path)))


def fault_image(fault: FaultyUrl, site: Site) -> WorldImage:
    """Return the image item of a faulty URL."""
    role = ImageRole.FAULT
    if set(fault.expected) <= {"fetch.http_404", "fetch.http_410"}:
        role = ImageRole.DEAD
    elif fault.expected == ("fetch.robots_disallowed",):
        role = ImageRole.ROBOTS
    return WorldImage(url=site.url(fault.path), role=role, alt="picture from the lesson", expected=fault.expected)


def insert(blocks: list[Block], image: WorldImage, rng: random.Random) -> None:
    """Insert ``image`` anywhere behind the first paragraph."""
    blocks.insert(rng.randrange(1, len(blocks) + 1), image)
