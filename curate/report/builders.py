"""Turn what other stages wrote (a blend's summary, training metrics) into the report's parts."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from curate.report.data import Blend, BlendLine, LossCurve

MAX_CURVE_POINTS = 240


def build_blend(summary: Mapping[str, Any]) -> Blend:
    """Return a blend from the JSON summary of its plan; numbers that it lacks are zero."""
    entries = [
        BlendLine(
            name=name,
            wanted_share=float(entry.get("wanted_share", 0.0)),
            got_share=float(entry.get("got_share", 0.0)),
            num_samples=int(entry.get("drawn", {}).get("samples", 0)),
            num_images=int(entry.get("drawn", {}).get("images", 0)),
            num_tokens=int(entry.get("drawn", {}).get("tokens", 0)),
            most_repeats=int(entry.get("most_repeats", 0)),
            supply=int(entry.get("supply", {}).get("samples", 0)),
            num_not_drawn=int(entry.get("not_drawn", 0)),
        )
        for name, entry in sorted(summary.get("entries", {}).items())
    ]
    return Blend(
        name=str(summary.get("name", "")),
        unit=str(summary.get("unit", "")),
        num_samples=int(summary.get("samples", 0)),
        num_images=int(summary.get("images", 0)),
        num_tokens=int(summary.get("tokens", 0)),
        binding=str(summary.get("total", {}).get("binding", "")),
        entries=tuple(entries),
    )


def build_curve(stage: str, points: Sequence[tuple[float, float]]) -> LossCurve:
    """Return a loss curve of at most 240 points: means of equal runs of steps; losses that are not finite are left out.

    Args:
        stage: Name of the training stage.
        points: (step, loss) in order of steps.
    """
    finite = [(float(step), float(loss)) for step, loss in points if np.isfinite(loss)]
    runs = np.array_split(np.array(finite).reshape(-1, 2), min(len(finite), MAX_CURVE_POINTS) or 1)
    means = [run.mean(axis=0) for run in runs if len(run)]
    return LossCurve(stage=stage, points=tuple((float(step), float(loss)) for step, loss in means))
