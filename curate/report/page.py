"""The report as one HTML file that opens offline.

Nothing in it is loaded from anywhere: style and script are inline, thumbnails are ``data:`` URIs, addresses are shown
as text. A content security policy says so to the browser too, and allows no script but the page's own, by its hash.
"""

import base64
import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jinja2

from curate.contract.reasons import Reason
from curate.report.charts import draw_curve, draw_histogram, short_number
from curate.report.data import Funnel, FunnelStep, GalleryDocument, ReportData, ShownImage
from curate.report.ledger import check_ledger
from curate.report.wording import describe, describe_status

_MAX_OPEN_ITEMS = 9  # per gallery document; the others are folded
_SMALLEST_SHARE = 0.001  # the last digit shown of a percentage


def render_report(data: ReportData) -> str:
    """Return the page; equal data gives equal text."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("curate.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        num=_num, short=short_number, pct=_percent, sim=_similarity, reason=describe, status=describe_status
    )
    digest = hashlib.sha256(environment.get_template("script.js").render().encode()).digest()
    return environment.get_template("report.html.j2").render(
        data=data,
        ledger=data.ledger,
        script_hash=base64.b64encode(digest).decode("ascii"),
        ledger_faults=check_ledger(data.ledger) + _disagreements(data),
        funnels=_pair_funnels(data.funnels, order=list(data.ledger["sources"])),
        reasons=_reason_rows(data.ledger),
        charts=[(h, None if h.horizontal else draw_histogram(h)) for h in data.histograms],
        curves=[(curve, draw_curve(curve)) for curve in data.training if curve.points],
        filters=_filter_options(data.gallery),
        gallery=list(enumerate(data.gallery)),
        reasons_of=_reasons_of,
        max_open_items=_MAX_OPEN_ITEMS,
    )


def _disagreements(data: ReportData) -> list[str]:
    """Return where the funnels and the ledger, which are counted apart, do not end at the same number."""
    sources = data.ledger["sources"]
    return [
        f"source {f.source}, {f.unit}: the funnel ends at {f.steps[-1].num}, the ledger keeps {kept}"
        for f in data.funnels
        for kept in [sources[f.source][f.unit]["kept"] if f.source in sources else 0]
        if f.steps[-1].num != kept
    ]


def _pair_funnels(funnels: Sequence[Funnel], *, order: Sequence[str]) -> list[tuple[str, list[Funnel]]]:
    """Return (source, its funnels) in the ledger's order; all sources together come first where there are several."""
    by_source: dict[str, list[Funnel]] = {name: [] for name in order}
    for funnel in funnels:
        by_source.setdefault(funnel.source, []).append(funnel)
    if len(by_source) > 1:
        units = list(dict.fromkeys(funnel.unit for funnel in funnels))
        total = [_sum_funnels([f for f in funnels if f.unit == unit]) for unit in sorted(units)]
        return [("All sources", total), *by_source.items()]
    return list(by_source.items())


def _sum_funnels(funnels: Sequence[Funnel]) -> Funnel:
    steps = [
        FunnelStep(name=same[0].name, num=sum(step.num for step in same), lost=sum(step.lost for step in same))
        for same in zip(*(funnel.steps for funnel in funnels), strict=True)
    ]
    return Funnel(source="", unit=funnels[0].unit, steps=tuple(steps))


def _reason_rows(ledger: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a row per reason with counts, shares and the counts per source; the most frequent reason first."""
    totals = {unit: ledger["totals"][unit] for unit in ("documents", "images")}
    counts = {unit: Counter(total["rejected"]) for unit, total in totals.items()}
    rows = []
    for reason in counts["documents"].keys() | counts["images"].keys():
        row: dict[str, Any] = {"reason": reason, "sources": []}
        for unit, total in totals.items():
            num = counts[unit][reason]
            row[unit] = {"num": num, "share": num / total["in"] if total["in"] else 0.0}
        for name, entry in ledger["sources"].items():
            nums = [entry[unit]["rejected"].get(reason, 0) for unit in totals]
            if any(nums):
                row["sources"].append((name, *nums))
        rows.append(row)
    return sorted(rows, key=lambda row: (-row["documents"]["num"] - row["images"]["num"], row["reason"]))


def _reasons_of(document: GalleryDocument) -> list[str]:
    """Return the reasons that a document shows: its own and those of its images."""
    images = {item.reason for item in document.items if isinstance(item, ShownImage)}
    return sorted({reason for reason in {document.reason, *images} if reason and reason != Reason.DOC_REJECTED})


def _filter_options(gallery: Iterable[GalleryDocument]) -> dict[str, list[str]]:
    gallery = list(gallery)
    return {
        "source": sorted({document.source for document in gallery}),
        "kind": sorted({document.kind for document in gallery}),
        "reason": sorted({reason for document in gallery for reason in _reasons_of(document)}),
    }


def _num(value: float) -> str:
    return f"{value:,}"


def _percent(share: float) -> str:
    """Return a share as a percentage that never rounds something to nothing, or less than all to all."""
    if share >= 1:
        return "100 %"
    if 0 < share < _SMALLEST_SHARE:
        return "<0.1 %"
    return f"{min(share, 1 - _SMALLEST_SHARE) * 100:.1f} %"


def _similarity(value: float) -> str:
    return f"{value:.2f}".replace("-", "\N{MINUS SIGN}")
