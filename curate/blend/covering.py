"""Which samples a weight stands for, by source and kind: the same for a blend of a pool and for one of shard sets."""

import difflib
from collections.abc import Collection

from curate.contract.errors import BlendError
from curate.contract.reasons import Kind

Group = tuple[str, str]
"""(source, kind)."""
_KINDS = frozenset(str(kind) for kind in Kind)


def assign_groups(groups: Collection[Group], names: Collection[str], *, where: str) -> dict[str, set[Group]]:
    """Return the groups that each weight covers, by name, sorted.

    A name that is a kind stands for all samples of the kind whose source is not named itself; any other name is a
    source. A named source with weight zero is therefore kept out of its kind.

    Args:
        groups: All that there are.
        names: Of the weights.
        where: Of the weights in the settings, such as ``blend.weights``.

    Raises:
        BlendError: A name that covers nothing.
    """
    named_sources = {name for name in names if name not in _KINDS}
    found = {
        name: {
            (source, kind)
            for source, kind in groups
            if (kind == name and source not in named_sources if name in _KINDS else source == name)
        }
        for name in sorted(names)
    }
    for name, own in found.items():
        if not own:
            raise BlendError(f"{where}.{name}: {_explain(name, groups)}")
    return found


def _explain(name: str, groups: Collection[Group]) -> str:
    sources, kinds = sorted({source for source, _ in groups}), sorted({kind for _, kind in groups})
    close = difflib.get_close_matches(name, {*sources, *kinds} - {name}, n=1)
    hint = f"did you mean {close[0]}?" if close else "remove the weight or add documents"
    what = "kind without samples left to it" if name in _KINDS else "neither a source nor a kind of the samples"
    return f"{what} (sources {', '.join(sources)}; kinds {', '.join(kinds)}); {hint}"
