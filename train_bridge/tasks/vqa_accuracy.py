"""Accuracy of short answers (Antol et al., arXiv 1505.00468: an answer counts a third per person who gave it).

With ten people the score is the mean over the ten sets of nine, as the authors' code has it. With fewer than
``NUM_PEOPLE`` answers they are taken as ways to say one thing, and any of them is right.
"""

import re
from collections.abc import Sequence

NUM_PEOPLE = 4
"""From so many answers on, they are those of people, who may differ."""
NEEDED = 3
_ARTICLES = {"a", "an", "the"}
_NUMBERS = {
    word: str(number)
    for number, word in enumerate(
        ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    )
}


def vqa_accuracy(answer: str, truths: Sequence[str]) -> float:
    """Return 0 to 1 for one answer."""
    said = normalise_answer(answer)
    matches = [normalise_answer(truth) == said for truth in truths]
    if len(truths) < NUM_PEOPLE:
        return float(any(matches))
    return sum(min(1.0, (sum(matches) - match) / NEEDED) for match in matches) / len(matches)


def normalise_answer(text: str) -> str:
    """Return lower case without articles and punctuation, numbers up to ten as digits."""
    words = re.sub(r"[^\w\s]", " ", text.lower()).split()
    return " ".join(_NUMBERS.get(word, word) for word in words if word not in _ARTICLES)
