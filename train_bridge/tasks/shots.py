"""Which examples are shown before a question: drawn by seed and document: one more question changes no other."""

import random
from collections.abc import Sequence

from train_bridge.tasks.examples import Example


def choose_shots(example: Example, *, support: Sequence[Example], num_shots: int, seed: int) -> list[Example]:
    """Draw shots among ``support`` without the document itself or one of the same images or question.

    A larger number of shots keeps those of a smaller one, nearest to the question, so that counts are compared and not
    draws.

    Returns:
        ``num_shots`` examples, or as many as there are.
    """
    others = [
        other
        for other in support
        if other.doc_id != example.doc_id and (other.images, other.question) != (example.images, example.question)
    ]
    order = list(range(len(others)))
    random.Random(f"{seed} shots {example.doc_id}").shuffle(order)
    return [others[place] for place in reversed(order[:num_shots])]
