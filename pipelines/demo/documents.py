"""What the world is made of, before it is written in one format or another."""

from dataclasses import dataclass, field
from enum import StrEnum

from curate.contract.reasons import Kind


class WorldSource(StrEnum):
    """Names that the demo recipe gives its sources; truth is keyed by them."""

    PAGES = "pages"
    MMC4 = "mmc4"
    PAIRS = "pairs"
    INSTRUCTIONS = "instructions"


class ImageRole(StrEnum):
    """Why an image is where it is."""

    SCENE = "scene"  # a sentence of its document describes it
    OFF_TOPIC = "off_topic"  # fit to use, but no sentence describes it
    LOGO = "logo"  # logo, icon, button or badge within an article
    PIXEL = "pixel"  # tracking pixel within an article
    BANNER = "banner"  # an advertisement, wide and low, within an article
    BOILERPLATE = "boilerplate"  # belongs to the page, not to the article
    FREQUENT = "frequent"  # the same URL in more than ten documents
    DEAD = "dead"  # 404 or 410
    ROBOTS = "robots"  # disallowed by robots.txt
    FAULT = "fault"  # any other fault of the web


class Variant(StrEnum):
    """How a scene's file relates to others of its group."""

    ORIGINAL = "original"
    EXACT = "exact"  # the same bytes under another URL
    NEAR = "near"  # the same picture, resized or encoded again


@dataclass(frozen=True, kw_only=True, slots=True)
class WorldImage:
    """One image of a document, with the truth about it."""

    url: str
    """Absolute, but for deliberately bad ones."""
    role: ImageRole
    alt: str = ""
    sentence: str | None = None
    """The sentence of its document that describes it."""
    group: str | None = None
    """Files made from one original picture share it."""
    variant: Variant | None = None
    expected: tuple[str, ...] = ()
    """Reason codes of which any is right; empty where nothing speaks against keeping it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WorldDocument:
    """One document of one source."""

    source: WorldSource
    kind: Kind
    url: str | None
    lang: str
    """ISO 639-1."""
    blocks: tuple[str | WorldImage, ...] = ()
    """Paragraphs and images of the article, in order."""
    title: str = ""
    """Of a page, its heading; the other formats have none."""
    boilerplate: tuple[WorldImage, ...] = ()
    """Images of the page around the article."""
    expected: tuple[str, ...] = ()
    """Reason codes of the whole document, of which any is right; empty where it should be kept."""
    meta: dict[str, int] = field(default_factory=dict)
    """Passthrough columns of a pair."""

    @property
    def images(self) -> tuple[WorldImage, ...]:
        """Return the article's images."""
        return tuple(block for block in self.blocks if isinstance(block, WorldImage))

    @property
    def texts(self) -> tuple[str, ...]:
        """Return the article's paragraphs."""
        return tuple(block for block in self.blocks if isinstance(block, str))
