"""Decides what documents a world has."""

from curate.contract.reasons import FetchStatus, Kind, Reason, fetch_reason
from pipelines.demo.author import ENGLISH, Author, Block
from pipelines.demo.documents import ImageRole, WorldDocument, WorldImage, WorldSource
from pipelines.demo.faults import FaultyUrl, image_faults, page_faults
from pipelines.demo.foreign import LANGUAGES
from pipelines.demo.planting import insert, plant_clutter, plant_detours, plant_faults, plant_series
from pipelines.demo.sentences import title
from pipelines.demo.site import Site

FOREIGN_EVERY = 12
FOREIGN_AT = 5
"""Documents 5, 17, 29, ... of each source are not English."""
FAULTY_EVERY = 4
FAULTY_AT = 3
"""Pages 3, 7, 11, ... are faulty until the list of faults is used up."""
BUSY_PAGE = 8
"""Answers at the second request."""
MOVED_PAGE = 10
BAD_PAIR_EVERY = 16
BAD_PAIR_AT = 2
SHARE_OFF_TOPIC = 0.15
SHARE_OFF_TOPIC_PAIRS = 0.08
BAD_URLS = ("ftp://pictures.invalid/old.jpg", "no picture here", "http:///nameless.jpg")


def language_of(number: int) -> str:
    """Return the language of document ``number`` of a source."""
    if number % FOREIGN_EVERY != FOREIGN_AT:
        return ENGLISH
    return list(LANGUAGES)[number // FOREIGN_EVERY % len(LANGUAGES)]


def plan_pages(author: Author, site: Site, *, num_docs: int, sample: bytes) -> list[WorldDocument]:
    """Return the pages, faulty ones included.

    Args:
        author: Writes the articles.
        site: Gets the files and rules of faults.
        num_docs: Pages.
        sample: A sound JPEG to break.
    """
    faulty = _faulty_pages(num_docs)
    articles: dict[int, list[Block]] = {}
    for number in sorted(set(range(num_docs)) - set(faulty)):
        rng = author.rng(WorldSource.PAGES, number)
        lang, off_topic = language_of(number), rng.random() < SHARE_OFF_TOPIC
        articles[number] = author.write_article(rng, lang=lang, joined=True, off_topic=off_topic and lang == ENGLISH)
        plant_clutter(articles[number], site, rng, number=number)
    english = [blocks for number, blocks in articles.items() if language_of(number) == ENGLISH]
    rng = author.rng(WorldSource.PAGES, "planting")
    plant_detours(english, site)
    plant_faults(english, image_faults(sample), site, rng)
    plant_series(english, author, rng)
    for fault in faulty.values():
        site.add_fault(fault)
    return [
        _faulty_page(faulty[number], site) if number in faulty else _page(articles[number], number, author, site)
        for number in range(num_docs)
    ]


def plan_mmc4(author: Author, site: Site, *, num_docs: int) -> list[WorldDocument]:
    """Return documents that come as MMC4 records; their own URLs are never asked for."""
    documents = []
    for number in range(num_docs):
        rng = author.rng(WorldSource.MMC4, number)
        lang, off_topic = language_of(number), rng.random() < SHARE_OFF_TOPIC
        blocks = author.write_article(rng, lang=lang, joined=False, off_topic=off_topic and lang == ENGLISH)
        plant_clutter(blocks, site, rng, number=100_000 + number)
        if number == 1:
            bad = WorldImage(url=BAD_URLS[0], role=ImageRole.FAULT, expected=(fetch_reason(FetchStatus.BAD_URL),))
            insert(blocks, bad, rng)
        documents.append(
            WorldDocument(
                source=WorldSource.MMC4,
                kind=Kind.INTERLEAVED,
                url=site.url(f"/archive/{number:05d}.html"),
                lang=lang,
                blocks=tuple(blocks),
                expected=_expected(lang),
            )
        )
    return documents


def plan_pairs(author: Author, *, num_docs: int) -> list[WorldDocument]:
    """Return captions with one picture each; three have URLs that are none."""
    documents = []
    for number in range(num_docs):
        rng = author.rng(WorldSource.PAIRS, number)
        lang, off_topic = language_of(number), rng.random() < SHARE_OFF_TOPIC_PAIRS
        caption, image = author.write_caption(rng, lang=lang, off_topic=off_topic and lang == ENGLISH)
        turn, place = divmod(number, BAD_PAIR_EVERY)
        if lang == ENGLISH and place == BAD_PAIR_AT and turn < len(BAD_URLS):
            url = BAD_URLS[turn]
            image = WorldImage(url=url, role=ImageRole.FAULT, expected=(fetch_reason(FetchStatus.BAD_URL),))
        documents.append(
            WorldDocument(
                source=WorldSource.PAIRS,
                kind=Kind.PAIR,
                url=None,
                lang=lang,
                blocks=(caption, image),
                expected=_expected(lang),
                meta={"number": number, "num_letters": sum(letter.isalpha() for letter in caption)},
            )
        )
    return documents


def page_path(number: int) -> str:
    """Return where page ``number`` is served."""
    return f"/pages/{number:05d}.html"


def _faulty_pages(num_docs: int) -> dict[int, FaultyUrl]:
    places = range(FAULTY_AT, num_docs, FAULTY_EVERY)
    poor = (
        FaultyUrl(path="/pages/one-liner.html", expected=("text.words",)),
        FaultyUrl(path="/pages/hollow.html", expected=("ingest.empty_document",)),
    )
    faults = page_faults()
    return dict(zip(places, (*faults[:3], *poor, *faults[3:]), strict=False))


def _faulty_page(fault: FaultyUrl, site: Site) -> WorldDocument:
    blocks: tuple[Block, ...] = ()
    if fault.expected == ("text.words",):
        blocks = ("Nothing more to say.",)
    return WorldDocument(
        source=WorldSource.PAGES,
        kind=Kind.INTERLEAVED,
        url=site.url(fault.path),
        lang=ENGLISH,
        blocks=blocks,
        expected=fault.expected,
    )


def _page(blocks: list[Block], number: int, author: Author, site: Site) -> WorldDocument:
    lang, path = language_of(number), page_path(number)
    if number == BUSY_PAGE:
        site.busy(path)
    if number == MOVED_PAGE:
        path = site.moved(path)
    heading = title(author.rng(WorldSource.PAGES, f"title/{number}")) if lang == ENGLISH else LANGUAGES[lang].title
    return WorldDocument(
        source=WorldSource.PAGES,
        kind=Kind.INTERLEAVED,
        url=site.url(path),
        lang=lang,
        blocks=tuple(blocks),
        title=heading,
        boilerplate=site.boilerplate(number),
        expected=_expected(lang),
    )


def _expected(lang: str) -> tuple[str, ...]:
    return () if lang == ENGLISH else (Reason.TEXT_LANGUAGE,)
