"""Images of a tar that are samples of their own by their names, ``KEY_0.jpg``, and belong to a JSON that names them."""

from collections.abc import Iterable, Iterator, Mapping

from curate.contract.records import Fault
from curate.ingest.files.faults import record_fault
from curate.ingest.files.tars import MAX_SAMPLE_BYTES, MAX_SAMPLE_PARTS, TarSample

IMAGE_EXTENSIONS = frozenset({"jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "avif", "heic", "jp2", "img"})


def is_image(part: str) -> bool:
    """Return whether a member is an image, by its extension."""
    return part.rpartition(".")[2] in IMAGE_EXTENSIONS


def join_named(samples: Iterable[TarSample | Fault]) -> Iterator[TarSample | Fault]:
    """Yield samples, those of images alone joined to the next JSON before or behind them in which their name stands.

    Args:
        samples: Of one tar, in order.

    Yields:
        All of them in order; images that no JSON names remain samples of their own. A joined image is a part by its
        whole name. Images wait for a JSON up to the limits of a sample.
    """
    waiting: list[TarSample] = []
    owner: TarSample | None = None
    for sample in samples:
        if isinstance(sample, Fault):
            yield from _flush(owner, waiting)
            owner = None
            yield sample
        elif owner is not None and _is_named(sample, owner):
            owner.parts |= _by_whole_names(sample)
        elif "json" in sample.parts:
            yield from _flush(owner, [])
            yield from (one for one in waiting if not _is_named(one, sample))
            images = [_by_whole_names(one) for one in waiting if _is_named(one, sample)]
            sample.parts = {name: data for parts in images for name, data in parts.items()} | sample.parts
            waiting.clear()
            owner = sample
        elif all(map(is_image, sample.parts)):
            yield from _flush(owner, [])
            owner = None
            waiting.append(sample)
            if _is_too_much(waiting):
                yield from _flush(None, waiting)
        else:
            yield from _flush(owner, waiting)
            owner = None
            yield sample
    yield from _flush(owner, waiting)


def _flush(owner: TarSample | None, waiting: list[TarSample]) -> Iterator[TarSample | Fault]:
    """Yield what nothing more can be joined to; of both at most one is there."""
    if owner is not None:
        what = f"{owner.key[:80]}: more than {MAX_SAMPLE_PARTS} members or {MAX_SAMPLE_BYTES:,} bytes in all"
        yield record_fault(owner.place, what) if _is_too_much([owner]) else owner
    yield from waiting
    waiting.clear()


def _is_named(sample: TarSample, owner: TarSample) -> bool:
    if not all(map(is_image, sample.parts)) or _is_too_much([owner]):
        return False
    names = _by_whole_names(sample)
    return owner.parts.keys().isdisjoint(names) and all(name.encode() in owner.parts["json"].lower() for name in names)


def _by_whole_names(sample: TarSample) -> Mapping[str, bytes]:
    base = sample.key.rpartition("/")[2].lower()
    return {f"{base}.{part}": data for part, data in sample.parts.items()}


def _is_too_much(samples: list[TarSample]) -> bool:
    num_parts = sum(len(sample.parts) for sample in samples)
    return num_parts > MAX_SAMPLE_PARTS or sum(len(d) for one in samples for d in one.parts.values()) > MAX_SAMPLE_BYTES
