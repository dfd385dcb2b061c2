"""A small web and four lists of what is on it, drawn and written from a seed, with the truth about all of it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from curate.contract.reasons import IngestReason
from pipelines.demo.author import ENGLISH, Author
from pipelines.demo.documents import WorldDocument, WorldSource
from pipelines.demo.drawing import draw_scene, encode_image
from pipelines.demo.instructions import instruction_line, write_conversation
from pipelines.demo.pages import render_page
from pipelines.demo.planner import page_path, plan_mmc4, plan_pages, plan_pairs
from pipelines.demo.records import mmc4_line, write_lines, write_pairs
from pipelines.demo.scenes import sample_scene
from pipelines.demo.site import Site
from pipelines.demo.truth import TruthDocument, truth_of, write_truth

SHARE_PAGES = 0.45
SHARE_MMC4 = 0.2
SHARE_PAIRS = 0.25
"""Instructions are the rest."""
WORLD_FILE = "world.json"
MALFORMED_LINE = '{"url": "http://127.0.0.1/archive/cut-off.html", "text_list": ["This line ends in the mid'
HOLLOW_LINE = '{"url": "", "text_list": [], "image_info": [], "could_have_url_duplicate": 0}'
MISNAMED_LINE = '{"conversation": [{"speaker": "somebody", "says": "This is no message."}]}'


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """Where everything is. The folder also holds what the server serves; see server.py."""

    folder: Path
    pages: Path
    """Text, a page URL a line."""
    mmc4: Path
    """JSON lines."""
    pairs: Path
    """Parquet: url, text and two columns more."""
    instructions: Path
    """JSON lines of chat messages."""
    truth: Path
    """JSON lines; see truth.py."""
    base_url: str
    """Of the server that all the lists name, such as ``http://127.0.0.1:8907``."""


def build_world(folder: Path, *, num_docs: int, seed: int, base_url: str) -> World:
    """Write a world of ``num_docs`` documents below ``folder``; the same arguments write the same bytes.

    Args:
        folder: Made if missing; files of an older world in it are overwritten.
        num_docs: Documents of all four sources together, broken ones included.
        seed: Of everything drawn.
        base_url: Where the server will be, without a slash at its end.
    """
    folder.mkdir(parents=True, exist_ok=True)
    world = _layout(folder, base_url)
    site = Site(folder, base_url=base_url)
    site.write_furniture()
    author = Author(site, seed=seed)
    num_pages, num_mmc4, num_pairs = (round(num_docs * share) for share in (SHARE_PAGES, SHARE_MMC4, SHARE_PAIRS))
    pages = plan_pages(author, site, num_docs=num_pages, sample=_sample_jpeg(author))
    _write_pages(world.pages, pages, site, author)
    broken = min(2, num_mmc4 // 4)
    mmc4 = plan_mmc4(author, site, num_docs=num_mmc4 - broken)
    write_lines(world.mmc4, [*map(mmc4_line, mmc4), *(MALFORMED_LINE, HOLLOW_LINE)[:broken]])
    pairs = plan_pairs(author, num_docs=num_pairs)
    write_pairs(world.pairs, pairs)
    num_lines = num_docs - num_pages - num_mmc4 - num_pairs
    truth = [truth_of(document, row) for source in (pages, mmc4, pairs) for row, document in enumerate(source)]
    truth += [_broken(WorldSource.MMC4, len(mmc4) + row) for row in range(broken)]
    truth += _write_instructions(world.instructions, author, num_lines=num_lines)
    write_truth(world.truth, truth)
    site.finish()
    (folder / WORLD_FILE).write_text(json.dumps({"base_url": base_url, "num_docs": num_docs, "seed": seed}) + "\n")
    return world


def _layout(folder: Path, base_url: str) -> World:
    return World(
        folder=folder,
        pages=folder / "pages.txt",
        mmc4=folder / "mmc4.jsonl",
        pairs=folder / "pairs.parquet",
        instructions=folder / "instructions.jsonl",
        truth=folder / "truth.jsonl",
        base_url=base_url,
    )


def _sample_jpeg(author: Author) -> bytes:
    rng = author.rng(WorldSource.PAGES, "sample")
    return encode_image(draw_scene(sample_scene(rng), rng, width=320, height=240), "JPEG")


def _write_pages(path: Path, pages: Sequence[WorldDocument], site: Site, author: Author) -> None:
    write_lines(path, [page.url or "" for page in pages])
    for number, page in enumerate(pages):
        body = render_page(page, author.rng(WorldSource.PAGES, f"markup/{number}"), base_url=site.base_url)
        if page.expected and page.expected[0].startswith("fetch."):
            continue
        # A moved page is written where its redirect leads.
        own_path = (page.url or "").removeprefix(site.base_url)
        site.write(page_path(number) if page.boilerplate else own_path, body)


def _write_instructions(path: Path, author: Author, *, num_lines: int) -> list[TruthDocument]:
    conversations = [write_conversation(author.rng(WorldSource.INSTRUCTIONS, number)) for number in range(num_lines)]
    lines = [instruction_line(messages) for messages in conversations]
    broken = min(1, num_lines // 4)
    if broken:
        lines[-1] = MISNAMED_LINE
    write_lines(path, lines)
    sound = [
        TruthDocument(source=WorldSource.INSTRUCTIONS, row=row, url=None, lang=ENGLISH, expected=(), images=())
        for row in range(num_lines - broken)
    ]
    return [*sound, *(_broken(WorldSource.INSTRUCTIONS, len(sound) + row) for row in range(broken))]


def _broken(source: WorldSource, row: int) -> TruthDocument:
    expected = (IngestReason.MALFORMED_RECORD, IngestReason.EMPTY_DOCUMENT)
    return TruthDocument(source=source, row=row, url=None, lang=ENGLISH, expected=expected, images=())
