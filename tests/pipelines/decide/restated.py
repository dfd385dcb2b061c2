"""What a decision must come to, said plainly: document by document, every image beside every kept one."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from curate.contract.reasons import FetchStatus
from tests.pipelines.corpus import CLIP, Doc, Picture, pictures, url_of

Key = tuple[str, int]
Fate = tuple[str, str, str | None]
"""Stage, reason, detail."""
Vector = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Of a recipe; what is None or empty is not asked for."""

    min_words: int | None = None
    max_url_count: int | None = None
    deny: str = ""
    min_side: int | None = None
    min_sim: float | None = None
    num_images: tuple[int, int] | None = None
    doc_kinds: tuple[str, ...] = ("interleaved",)
    exact: bool = False
    cosine: float | None = None

    def recipe(self) -> str:
        """Return what stands below the sources."""
        low, high = self.num_images or (0, 0)
        admit = {
            f"text.words: {{min: {self.min_words}}}": self.min_words,
            f"url.tokens: {{deny: [{self.deny}]}}": self.deny,
            f"url.frequency: {{max: {self.max_url_count}}}": self.max_url_count,
        }
        keep = {
            f"image.size: {{min: {self.min_side}}}": self.min_side,
            f"image.clip: {{min: {self.min_sim}}}": self.min_sim,
            f"doc.images: {{min: {low}, max: {high}, kinds: [{', '.join(self.doc_kinds)}]}}": self.num_images,
        }
        text = CLIP + "".join(
            f"{name}: {{{', '.join(rule for rule, asked in rules.items() if asked)}}}\n"
            for name, rules in (("admit", admit), ("keep", keep))
        )
        if self.exact or self.cosine is not None:
            cosine = "null" if self.cosine is None else self.cosine
            text += f"dedup: {{image: {{exact: {str(self.exact).lower()}, cosine: {cosine}}}}}\n"
        return text


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """Documents in input order, and what is known of them beside themselves."""

    docs: Sequence[Doc]
    embeddings: dict[int, Vector]
    """By number of the picture."""
    faults: dict[str, Fate] = field(default_factory=dict)
    """Of documents that could not be read or were set aside."""
    uncounted: frozenset[str] = frozenset()
    """Documents whose URLs do not count: those set aside."""


@dataclass(kw_only=True)
class Restated:
    """What became of a corpus."""

    fates: dict[Key, Fate] = field(default_factory=dict)
    pool: dict[str, int] = field(default_factory=dict)
    """Images left of each document that stands."""
    kept: list[Key] = field(default_factory=list)
    """Images, in input order."""


def restate(corpus: Corpus, settings: Settings) -> Restated:
    """Decide a corpus."""
    counts = Counter(
        url_of(picture) for one in corpus.docs if one.doc_id not in corpus.uncounted for _, picture in pictures(one)
    )
    found = Restated()
    shield: list[tuple[Key, Picture]] = []
    for one in corpus.docs:
        if (fault := corpus.faults.get(one.doc_id) or judge_text(one, settings)) is not None:
            found.fates[one.doc_id, -1] = fault
            continue
        own = judge_images(one, settings, counts)
        left = [place for place, fate in own.items() if fate is None]
        fate = judge_document(one, settings, len(left)) or pair_fate(one, list(own.values()), len(left))
        if fate is None:
            copies, left = find_copies(one, left, shield, corpus, settings)
            own |= copies
            if copies:
                fate = judge_document(one, settings, len(left)) or pair_fate(one, list(copies.values()), len(left))
        found.fates |= {(one.doc_id, place): bad for place, bad in own.items() if bad is not None}
        if fate is not None:
            found.fates[one.doc_id, -1] = fate
            continue
        of_place = dict(pictures(one))
        shield += [((one.doc_id, place), of_place[place]) for place in left]
        found.pool[one.doc_id] = len(left)
        found.kept += [(one.doc_id, place) for place in left]
    return found


def judge_text(one: Doc, settings: Settings) -> Fate | None:
    if not one.items:  # there is nothing to train on
        return ("ingest", "ingest.empty_document", None)
    words = sum(len(item.split()) for item in one.items if isinstance(item, str))
    if one.kind == "interleaved" and settings.min_words is not None and words < settings.min_words:
        return ("admit", "text.words", None)
    return None


def judge_images(one: Doc, settings: Settings, counts: Counter[str]) -> dict[int, Fate | None]:
    num_texts = sum(isinstance(item, str) for item in one.items)
    return {place: next(judge_image(picture, settings, counts, num_texts), None) for place, picture in pictures(one)}


def judge_image(picture: Picture, settings: Settings, counts: Counter[str], num_texts: int) -> Iterator[Fate]:
    """Yield what speaks against an image; the first counts."""
    if settings.deny and settings.deny in url_of(picture):
        yield ("admit", "url.tokens", None)
    if settings.max_url_count is not None and counts[url_of(picture)] > settings.max_url_count:
        yield ("admit", "url.frequency", None)
    if picture.status is not FetchStatus.OK:
        yield ("fetch_images", f"fetch.{picture.status}", picture.detail)
    if settings.min_side is not None and min(picture.sides) < settings.min_side:
        yield ("keep", "image.size", None)
    sims = picture.sims if picture.sims is not None else (0.5,) * num_texts
    if settings.min_sim is not None and (not sims or max(sims) < settings.min_sim):
        yield ("keep", "image.clip", None)


def judge_document(one: Doc, settings: Settings, num_left: int) -> Fate | None:
    if settings.num_images is None or one.kind not in settings.doc_kinds:
        return None
    low, high = settings.num_images
    return None if low <= num_left <= high else ("keep", "doc.images", None)


def pair_fate(one: Doc, fates: Sequence[Fate | None], num_left: int) -> Fate | None:
    """Return why a pair without an image falls: its image's reason, of several the first."""
    if one.kind != "pair" or num_left:
        return None
    return next((fate for fate in fates if fate is not None), None)


def find_copies(
    one: Doc, left: list[int], shield: list[tuple[Key, Picture]], corpus: Corpus, settings: Settings
) -> tuple[dict[int, Fate | None], list[int]]:
    """Return the copies among the images that are left, and what is left without them."""
    of_place, copies, stays = dict(pictures(one)), dict[int, Fate | None](), list[int]()
    for place in left:
        picture = of_place[place]
        before = [*shield, *(((one.doc_id, earlier), of_place[earlier]) for earlier in stays)]
        fate = copy_of(picture, before, corpus, settings)
        if fate is None:
            stays.append(place)
        else:
            copies[place] = fate
    return copies, stays


def copy_of(picture: Picture, before: list[tuple[Key, Picture]], corpus: Corpus, settings: Settings) -> Fate | None:
    same = [key for key, other in before if other.number == picture.number]
    if settings.exact and same:
        return ("dedup", "dedup.exact", "of {}:{}".format(*same[0]))
    if settings.cosine is None:
        return None
    own = corpus.embeddings[picture.number]
    near = [(float(own @ corpus.embeddings[other.number]), place) for place, (_, other) in enumerate(before)]
    like = [(-cosine, place) for cosine, place in near if cosine >= settings.cosine]
    return ("dedup", "dedup.cosine", "of {}:{}".format(*before[min(like)[1]][0])) if like else None
