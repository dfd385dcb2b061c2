"""The static side of the world's web: files, URLs and the rules of paths that misbehave."""

from pathlib import Path
from urllib.parse import urlsplit

from pipelines.demo.documents import ImageRole, WorldImage
from pipelines.demo.faults import ROBOTS_TXT, FaultKind, FaultRule, FaultyUrl, write_faults
from pipelines.demo.picture_store import thumbnail_bytes

SITE_FOLDER = "site"

_TOKEN_LOGOS = (
    ("/assets/site-logo.png", (240, 200), "our logo"),
    ("/assets/partner-logo.png", (200, 200), "partner"),
    ("/static/share-button.png", (180, 180), "share"),
    ("/static/icon-mail.png", (64, 64), "mail"),
    ("/plugin/badge.png", (160, 160), "badge"),
    ("/widgets/weather.png", (300, 200), "weather"),
)
"""Recognised by words in their URLs."""
_SMALL_LOGOS = (
    ("/brand/mark.png", (88, 31), "mark"),
    ("/brand/seal.png", (96, 96), ""),
)
"""Recognised by their size only."""
_BANNER = ("/ads/summer-sale.jpg", (728, 180), "Summer sale")
_BOILERPLATE_AD = ("/ads/promo.jpg", (300, 250), "Promotion")
PIXEL_PATH = "/t/pixel.gif"


class Site:
    """Owns ``folder/site`` and the server's rules; ``finish`` writes the latter."""

    def __init__(self, folder: Path, *, base_url: str) -> None:
        self.folder = folder
        self.root = folder / SITE_FOLDER
        self.base_url = base_url
        self._rules: dict[str, FaultRule] = {}

    def url(self, path: str) -> str:
        """Return the absolute URL of a path; a whole URL stays as it is."""
        return path if urlsplit(path).scheme else f"{self.base_url}{path}"

    def write(self, path: str, body: bytes) -> None:
        """Write the file served at ``path``."""
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)

    def add_rule(self, path: str, rule: FaultRule) -> None:
        """Make ``path`` misbehave."""
        self._rules[path] = rule

    def add_fault(self, fault: FaultyUrl) -> None:
        """Write a faulty URL's file and rule, as far as it has them."""
        if fault.body is not None:
            self.write(fault.path, fault.body)
        if fault.rule is not None:
            self.add_rule(fault.path, fault.rule)

    def busy(self, path: str) -> None:
        """Answer the first request with 503 and Retry-After, later ones with the file."""
        self.add_rule(path, FaultRule(kind=FaultKind.BUSY, status=503, times=1, headers={"Retry-After": "1"}))

    def slow(self, path: str) -> None:
        """Wait half a second before each answer."""
        self.add_rule(path, FaultRule(kind=FaultKind.SLOW, seconds=0.5))

    def moved(self, path: str) -> str:
        """Return another path that redirects to ``path``."""
        alias = f"/go{path}"
        self.add_rule(alias, FaultRule(kind=FaultKind.REDIRECT, status=301, location=path))
        return alias

    def write_furniture(self) -> None:
        """Write logos, icons, banners, the tracking pixel and robots.txt."""
        for number, (path, (width, height), _) in enumerate((*_TOKEN_LOGOS, *_SMALL_LOGOS, _BANNER, _BOILERPLATE_AD)):
            colour = (40 + 23 * number, 200 - 17 * number, 90 + 11 * number)
            image_format = "JPEG" if path.endswith("jpg") else "PNG"
            self.write(path, thumbnail_bytes(width, height, colour, image_format))
        self.write(PIXEL_PATH, thumbnail_bytes(1, 1, (255, 255, 255), "GIF"))
        self.write("/robots.txt", ROBOTS_TXT.encode())

    def finish(self) -> None:
        """Write the server's rules."""
        write_faults(self.folder, self._rules)

    def logo(self, number: int) -> WorldImage:
        """Return one of the logos that stand within articles."""
        choices = (*_TOKEN_LOGOS, *_SMALL_LOGOS)
        path, _, alt = choices[number % len(choices)]
        rule = "image.size" if choices[number % len(choices)] in _SMALL_LOGOS else "url.tokens"
        return WorldImage(url=self.url(path), role=ImageRole.LOGO, alt=alt, expected=(rule, "url.frequency"))

    def pixel(self, number: int) -> WorldImage:
        """Return a tracking pixel; each has its own query, as they do."""
        url = self.url(f"{PIXEL_PATH}?visit={number}")
        return WorldImage(url=url, role=ImageRole.PIXEL, expected=("image.size", "url.tokens", "url.frequency"))

    def banner(self) -> WorldImage:
        """Return the banner that stands within articles."""
        path, _, alt = _BANNER
        expected = ("image.aspect", "url.frequency")
        return WorldImage(url=self.url(path), role=ImageRole.BANNER, alt=alt, expected=expected)

    def boilerplate(self, number: int) -> tuple[WorldImage, ...]:
        """Return the images around the article of page ``number``: logo, advertisement, share icon, tracking pixel."""
        logo, mail = (self.url(path) for path in (_TOKEN_LOGOS[0][0], _TOKEN_LOGOS[3][0]))
        urls = (logo, self.url(_BOILERPLATE_AD[0]), mail, self.url(f"{PIXEL_PATH}?page={number}"))
        alts = ("our logo", "Promotion", "mail", "")
        return tuple(
            WorldImage(url=url, role=ImageRole.BOILERPLATE, alt=alt) for url, alt in zip(urls, alts, strict=True)
        )
