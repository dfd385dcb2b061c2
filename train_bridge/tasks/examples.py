"""Documents of shards as questions with known answers.

What a document must have, by task:

- ``caption``: one image and text without roles, each text item a reference.
- ``vqa``: a user's turn and the assistant's after it, with images or none; ``meta.answers`` (a list, or one as JSON)
  replaces the assistant's text, where several people have answered.
- ``choice``: the same without images; ``meta.choices`` and ``meta.label`` (the place of the right one). Without them
  the choices are the right answer and those of three other documents, drawn by the seed.

Documents that have not are passed over and counted.
"""

import itertools
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from curate.contract.errors import ShardError
from shards.reader import ShardReader, StoredSample
from shards.stream_index import stream_index
from train_bridge.tokens.layout import JsonObject

EvalTask = Literal["caption", "vqa", "choice"]
NUM_DISTRACTORS = 3
BLOCK_ROWS = 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """A question and its answers."""

    doc_id: str
    source: str
    images: tuple[bytes, ...] = ()
    question: str = ""
    answers: tuple[str, ...]
    """References of a caption, or right answers; the first is shown where the example is a shot."""
    choices: tuple[str, ...] = ()
    label: int = 0
    """Place of the right choice."""


def read_examples(
    folders: Sequence[str], *, task: EvalTask, seed: int = 0, max_examples: int | None = None
) -> tuple[list[Example], int]:
    """Return the examples of shard sets in stored order, and the number of documents that are none.

    Args:
        folders: Of the sets.
        task: Says what an example is.
        seed: Of choices.
        max_examples: Read no more than that many.

    Raises:
        ShardError: A folder is no shard set, or no document is an example.
    """
    found: list[Example] = []
    num_passed = 0
    for folder in folders:
        with ShardReader(folder) as reader:
            for row in _rows(folder):
                if max_examples is not None and len(found) == max_examples:
                    break
                example = _example(reader.read(row), task=task)
                num_passed += example is None
                found += [example] if example is not None else []
    if not found:
        raise ShardError(f"{', '.join(folders)}: no document is an example of {task}; see train_bridge.tasks.examples")
    return (_with_choices(found, seed=seed) if task == "choice" else found), num_passed


def _rows(folder: str) -> Iterator[dict[str, Any]]:
    for block in stream_index(folder, num_rows=BLOCK_ROWS):
        yield from block.to_pylist()


def _example(sample: StoredSample, *, task: EvalTask) -> Example | None:
    record, texts = sample.record, [item for item in sample.record["items"] if item["type"] == "text"]
    names = {"doc_id": record["doc_id"], "source": record["source"], "images": tuple(sample.images)}
    if task == "caption":
        plain = tuple(item["text"] for item in texts if not item.get("role"))
        return Example(**names, answers=plain) if len(sample.images) == 1 and plain else None
    if task == "choice" and sample.images:
        return None
    for turn, following in itertools.pairwise(texts):
        if turn.get("role") == "user" and following.get("role") == "assistant":
            return _with_meta(Example(**names, question=turn["text"], answers=(following["text"],)), record)
    return None


def _with_meta(example: Example, record: JsonObject) -> Example:
    meta = record.get("meta") or {}
    answers, choices, label = _texts(meta.get("answers")), _texts(meta.get("choices")), meta.get("label")
    if answers:
        example = replace(example, answers=answers)
    if choices and isinstance(label, int) and 0 <= label < len(choices):
        example = replace(example, choices=choices, label=label, answers=(choices[label],))
    return example


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return ()
    return tuple(map(str, value)) if isinstance(value, list) else ()


def _with_choices(examples: Sequence[Example], *, seed: int) -> list[Example]:
    """Give examples without choices wrong answers of others; the same seed gives the same."""
    pool = sorted({example.answers[0] for example in examples})
    done = []
    for example in examples:
        if not example.choices:
            rng = random.Random(f"{seed} choices {example.doc_id}")
            others = [answer for answer in pool if answer not in example.answers]
            choices = [example.answers[0], *rng.sample(others, min(NUM_DISTRACTORS, len(others)))]
            rng.shuffle(choices)
            example = replace(example, choices=tuple(choices), label=choices.index(example.answers[0]))  # noqa: PLW2901
        done.append(example)
    return done
