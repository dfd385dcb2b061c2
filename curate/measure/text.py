"""Measures of text: language, words, characters and those that no decoder could read; per item and per document."""

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter

import pyarrow as pa

from curate.contract.reasons import Modality
from curate.contract.schemas import TEXT_MEASURES, WHOLE_DOCUMENT, table_from_rows
from curate.measure.language import identify_language
from curate.measure.words import count_words

REPLACEMENT = "\ufffd"
"""What decoders put in the place of bytes that mean nothing in a page's encoding."""


def measure_text(items: pa.Table) -> pa.Table:
    """Measure every text item and every document that has items.

    Args:
        items: ITEMS of whole documents, in input order.

    Returns:
        TEXT_MEASURES: per document first its own row (position -1), then a row per text item. A document's words and
        characters are the sums of its items', its share of replaced ones is of all of them; its language is that of
        their joined text, null if no item has a letter.
    """
    columns = items.select(["doc_id", "position", "modality", "text"]).to_pylist()
    rows: list[dict[str, object]] = []
    for doc_id, of_doc in groupby(columns, key=itemgetter("doc_id")):
        texts = {row["position"]: row["text"] or "" for row in of_doc if row["modality"] == Modality.TEXT}
        rows.extend({"doc_id": doc_id, **measured} for measured in _measure_document(texts))
    return table_from_rows(rows, TEXT_MEASURES)


def _measure_document(texts: dict[int, str]) -> Iterator[dict[str, object]]:
    """Yield the row of the document, then those of its text items (position -> text)."""
    num_words = {position: count_words(text) for position, text in texts.items()}
    num_chars = {position: len(text) for position, text in texts.items()}
    joined = "\n".join(texts.values())
    yield _row(WHOLE_DOCUMENT, joined, num_words=sum(num_words.values()), num_chars=sum(num_chars.values()))
    for position, text in texts.items():
        yield _row(position, text, num_words=num_words[position], num_chars=num_chars[position])


def _row(position: int, text: str, *, num_words: int, num_chars: int) -> dict[str, object]:
    lang, lang_prob = identify_language(text)
    return {
        "position": position,
        "lang": lang,
        "lang_prob": lang_prob,
        "num_words": num_words,
        "num_chars": num_chars,
        "replacement_ratio": text.count(REPLACEMENT) / max(1, num_chars),
    }
