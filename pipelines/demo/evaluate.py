"""Hold a run over the demo world against the truth."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from curate.contract.errors import CurateError
from curate.contract.reasons import FetchStatus, Reason, fetch_reason
from curate.report.data import TruthFigure
from pipelines.demo.author import ENGLISH
from pipelines.demo.documents import ImageRole, Variant, WorldImage, WorldSource
from pipelines.demo.outcomes import ImageOutcome, WorldOutcomes, read_outcomes
from pipelines.demo.truth import TruthDocument, read_truth
from pipelines.demo.world import World

DEAD_REASONS = frozenset({"fetch.http_404", "fetch.http_410"})
ROBOTS_REASON = fetch_reason(FetchStatus.ROBOTS_DISALLOWED)
EARLY_REASONS = ("ingest.", "fetch.", "text.")
"""How reasons begin that end a document before its images are asked for."""

Pair = tuple[WorldImage, ImageOutcome]


def evaluate(out: Path, world: World, *, request_counts: Mapping[str, int] | None = None) -> list[TruthFigure]:
    """Compare the run folder ``out`` with what ``world`` planted.

    Args:
        out: A finished run over the four sources, named as in WorldSource; it may have read only part of them.
        world: What it ran over.
        request_counts: Requests by path, as the demo server counts them; without it, what was requested is taken from
            the run's own fetch table.

    Raises:
        CurateError: None of the world's documents is in the run.
    """
    outcomes = read_outcomes(out)
    documents = [document for document in read_truth(world.truth) if _key(document) in outcomes.documents]
    if not documents:
        raise CurateError(f"{out}: no document of the demo world {world.folder}; was this run made over it?")
    pairs = [pair for document in documents for pair in _pairs(document, outcomes)]
    fetched = [document for document in documents if _was_fetched(document, outcomes)]
    return [
        _figure("images assigned to their own sentence", _assigned(pairs), target=0.95),
        _figure("planted exact duplicates found", _exact_found(pairs), target=1.0),
        _figure("wrong-language documents rejected", _foreign_rejected(documents, outcomes), target=0.95),
        _figure("logos and tracking pixels rejected", _dropped(pairs, ImageRole.LOGO, ImageRole.PIXEL), target=1.0),
        _figure("images of boilerplate kept out", _boilerplate_out(fetched, outcomes), target=1.0),
        _figure("dead URLs counted", _dead_counted(documents, fetched, outcomes), target=1.0),
        _figure(
            "disallowed by robots.txt, not requested", _not_requested(documents, outcomes, request_counts), target=1.0
        ),
        _figure("near-duplicates found", _near_found(pairs), target=None),
        _figure("off-topic images rejected", _dropped(pairs, ImageRole.OFF_TOPIC), target=None),
        _figure(
            "banners and too frequent images rejected",
            _dropped(pairs, ImageRole.BANNER, ImageRole.FREQUENT),
            target=None,
        ),
        _figure("other faults with their own reason", _faults_named(fetched, outcomes), target=None),
        _figure("sound images kept", _sound_kept(pairs), target=None),
    ]


def _figure(name: str, cases: Iterable[bool], *, target: float | None) -> TruthFigure:
    right = list(cases)
    value = sum(right) / len(right) if right else None
    return TruthFigure(name=name, value=value, target=target, num_cases=len(right))


def _key(document: TruthDocument) -> tuple[str, str]:
    return document.source, document.url or (document.images[0].url if document.images else "")


def _find(document: TruthDocument, image: WorldImage, outcomes: WorldOutcomes) -> list[ImageOutcome]:
    page_url = "" if document.source == WorldSource.PAIRS else document.url or ""
    return outcomes.images.get((document.source, page_url, image.url), [])


def _pairs(document: TruthDocument, outcomes: WorldOutcomes) -> Iterator[Pair]:
    for image in document.images:
        if image.role is not ImageRole.BOILERPLATE:
            yield from ((image, outcome) for outcome in _find(document, image, outcomes))


def _was_fetched(document: TruthDocument, outcomes: WorldOutcomes) -> bool:
    reason = outcomes.documents[_key(document)]
    return reason is None or not reason.startswith(EARLY_REASONS)


def _assigned(pairs: Sequence[Pair]) -> Iterator[bool]:
    for image, outcome in pairs:
        if image.sentence is not None and outcome.kept:
            yield outcome.matched_text is not None and image.sentence in _squeeze(outcome.matched_text)


def _squeeze(text: str) -> str:
    return " ".join(text.split())


def _exact_found(pairs: Sequence[Pair]) -> Iterator[bool]:
    """Of each set of equal files that reached deduplication, all but the first must be ``dedup.exact``."""
    groups: dict[str, list[ImageOutcome]] = defaultdict(list)
    for image, outcome in pairs:
        if image.group is not None and image.variant in (Variant.ORIGINAL, Variant.EXACT):
            groups[image.group].append(outcome)
    for group in groups.values():
        met = sorted((o for o in group if o.kept or o.reason == Reason.DEDUP_EXACT), key=lambda o: o.order)
        for outcome in met[1:]:
            yield met[0].kept and outcome.reason == Reason.DEDUP_EXACT


def _near_found(pairs: Sequence[Pair]) -> Iterator[bool]:
    """Of the near-duplicates whose original is in a shard, those that deduplication dropped."""
    originals = {image.group for image, outcome in pairs if image.variant is Variant.ORIGINAL and outcome.kept}
    for image, outcome in pairs:
        found = outcome.reason in (Reason.DEDUP_COSINE, Reason.DEDUP_EXACT)
        if image.variant is Variant.NEAR and image.group in originals and (outcome.kept or found):
            yield found


def _foreign_rejected(documents: Sequence[TruthDocument], outcomes: WorldOutcomes) -> Iterator[bool]:
    for document in documents:
        if document.lang != ENGLISH:
            yield outcomes.documents[_key(document)] == Reason.TEXT_LANGUAGE


def _dropped(pairs: Sequence[Pair], *roles: ImageRole) -> Iterator[bool]:
    yield from (not outcome.kept for image, outcome in pairs if image.role in roles)


def _boilerplate_out(fetched: Sequence[TruthDocument], outcomes: WorldOutcomes) -> Iterator[bool]:
    for document in fetched:
        # A logo's URL may stand both around the article and within it; the latter is counted elsewhere.
        inside = {image.url for image in document.images if image.role is not ImageRole.BOILERPLATE}
        for image in document.images:
            if image.role is ImageRole.BOILERPLATE and image.url not in inside:
                yield not any(outcome.kept for outcome in _find(document, image, outcomes))


def _dead_counted(
    documents: Sequence[TruthDocument], fetched: Sequence[TruthDocument], outcomes: WorldOutcomes
) -> Iterator[bool]:
    for document in documents:
        if document.expected and set(document.expected) <= DEAD_REASONS:
            yield outcomes.documents[_key(document)] in document.expected
    yield from _with_reason(fetched, outcomes, ImageRole.DEAD)


def _faults_named(fetched: Sequence[TruthDocument], outcomes: WorldOutcomes) -> Iterator[bool]:
    yield from _with_reason(fetched, outcomes, ImageRole.FAULT)


def _with_reason(fetched: Sequence[TruthDocument], outcomes: WorldOutcomes, role: ImageRole) -> Iterator[bool]:
    for document in fetched:
        for image in document.images:
            if image.role is role:
                found = _find(document, image, outcomes)
                # An image that the run knows nothing of was lost silently.
                yield bool(found) and all(outcome.reason in image.expected for outcome in found)


def _not_requested(
    documents: Sequence[TruthDocument], outcomes: WorldOutcomes, request_counts: Mapping[str, int] | None
) -> Iterator[bool]:
    for document in documents:
        if ROBOTS_REASON in document.expected:
            quiet = outcomes.documents[_key(document)] == ROBOTS_REASON
            yield quiet if request_counts is None else _path(document.url or "") not in request_counts
        for image in document.images:
            if image.role is ImageRole.ROBOTS:
                statuses = {outcome.status for outcome in _find(document, image, outcomes)}
                quiet = statuses <= {None, FetchStatus.ROBOTS_DISALLOWED}
                yield quiet if request_counts is None else _path(image.url) not in request_counts


def _path(url: str) -> str:
    return urlsplit(url).path


def _sound_kept(pairs: Sequence[Pair]) -> Iterator[bool]:
    for image, outcome in pairs:
        early = outcome.reason is not None and outcome.reason.startswith("text.")
        if image.role is ImageRole.SCENE and not image.expected and not early:
            yield outcome.kept
