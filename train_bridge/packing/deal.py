"""Deals packs out to ranks: every rank gets about the same tokens and images at the same time.

The slowest rank sets the pace of a step. Packs are dealt in *turns*, one batch for each rank; within a *round* (the
packs of an optimiser step) packs with many images come first, so that ranks run like packs at the same time, and ranks
pick in turn order and back, so that none always has the heaviest. What a round holds, and the order in which it goes
out, is the same for any number of ranks: after any turn another number of ranks can go on.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

from train_bridge.packing.plan import Pack


def order_rounds(packs: Iterable[Pack], *, first: int, round_packs: int) -> Iterator[Pack]:
    """Put the packs of each round into the order in which they are dealt.

    Args:
        packs: In order, from the first pack of a round on.
        first: How many packs have been handed out from the start of the run; those of this round are passed over.
        round_packs: Packs of a round; rounds start at its multiples.

    Yields:
        Packs; each has the plan before its *round* as its window, for that is where the round can be dealt again from.
    """
    iterator = iter(packs)
    passed_over = first % round_packs
    while found := list(islice(iterator, round_packs)):
        window = found[0].window
        found.sort(key=_weight)
        yield from (replace(pack, window=window) for pack in found[passed_over:])
        passed_over = 0


def deal_turn(packs: Sequence[Pack], *, turn: int, num_ranks: int) -> list[list[Pack]]:
    """Give each rank its batch of a turn, the packs of a batch by number.

    Args:
        packs: As many for each rank.
        turn: Number of the turn; in odd ones the last rank picks first.
        num_ranks: Of the run.
    """
    batches: list[list[Pack]] = [[] for _ in range(num_ranks)]
    for place, pack in enumerate(sorted(packs, key=_weight)):
        row, rank = divmod(place, num_ranks)
        batches[num_ranks - 1 - rank if (turn + row) % 2 else rank].append(pack)
    return [sorted(batch, key=lambda pack: pack.number) for batch in batches]


def _weight(pack: Pack) -> tuple[int, int, int]:
    return -pack.num_images, -pack.num_tokens, pack.number
