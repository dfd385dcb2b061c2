"""Chooses which packs go out, and in which order, so that every stretch of them holds each source's share of tokens."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
SLACK_COST = 20.0
"""What an empty place costs, beside the square of being a place off the due shares: of a pack's length, both."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """Where the groups stand, [G] each."""

    due: Floats
    """Shares of tokens; together 1."""
    ahead: Floats
    """How far each group is ahead of its due, in packs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """Packs that go out."""

    order: list[int]
    """In their order; the packs that are not in it wait."""
    ahead: Floats
    """How far each group is ahead of its due after them, in packs, [G]."""


def choose_packs(
    amounts: npt.NDArray[np.int64],
    num_samples: Sequence[int],
    *,
    capacity: int,
    standing: Standing,
    num_keep: int,
    overdue: npt.NDArray[np.bool_],
) -> Chosen:
    """Send packs out one after the other until few samples are left, each time the one that serves the shares best.

    That is Steinitz's problem, solved greedily: the next pack is the one after which the sums of all groups are nearest
    to what is due to them. Sums of a few groups stay within about a pack of their due. Packs that are not full cost
    extra, so they are what is left, and with them the samples that the shares can do without for now.

    Args:
        amounts: Tokens of each group in each pack, [P, G].
        num_samples: Of each pack, [P].
        capacity: Tokens of a pack.
        standing: Before.
        num_keep: Samples that may be left.
        overdue: Packs that must go out, [P].
    """
    num_packs = len(amounts)
    held = amounts / capacity
    away = held - standing.due * held.sum(axis=1, keepdims=True)
    # |ahead + away_i|^2 = |ahead|^2 + 2 ahead . away_i + |away_i|^2: only the last two depend on i.
    costs = 2.0 * (away @ standing.ahead) + (away * away).sum(axis=1)
    if num_keep:  # else all go, and only their order is to be chosen
        costs += SLACK_COST * (1.0 - held.sum(axis=1))
    doubled, rows, change = 2.0 * away, list(away), np.empty(num_packs)
    must, is_overdue = np.flatnonzero(overdue), overdue.tolist()
    order: list[int] = []
    left, num_must = sum(num_samples), len(must)
    for _ in range(num_packs):
        if left > num_keep:
            chosen = int(costs.argmin())
        elif num_must:
            chosen = int(must[costs[must].argmin()])
        else:
            break
        order.append(chosen)
        left -= num_samples[chosen]
        num_must -= is_overdue[chosen]
        costs += np.dot(doubled, rows[chosen], out=change)
        costs[chosen] = np.inf
    return Chosen(order=order, ahead=standing.ahead + away[order].sum(axis=0))
