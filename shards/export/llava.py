"""LLaVA's format: one JSON array of conversations, and a folder of images (https://github.com/haotian-liu/LLaVA).

``llava.json`` holds one record a line; ``images/`` is what trainers are given as the image folder. ``image`` is a path
below it, or a list of paths where there are several, as LLaVA-NeXT reads them.

Rules. Human and gpt take turns, human first, and images keep their natural place. In a conversation user turns are
human, a system turn goes in front of the human turn that follows, and images belong to the human. A document without
roles becomes ``<image>`` by the human and the text after it by gpt; text before the first image is the human's unless
it is all there is, images behind all text end the last turn, and a document without images is one gpt turn after an
empty human one. Turns of one speaker are joined line by line. ``<image>`` inside a text is written ``<IMAGE>``, or it
would be taken for an image. Documents that give no gpt turn (no text, or none but a user's) are left out.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from shards.export.origins import said_of_origin
from shards.export.stream import ShardStream
from shards.export.tally import Tally
from shards.reader import StoredSample
from shards.storage import HashingFile, open_atomic, open_folder

JSON_NAME = "llava.json"
IMAGE_FOLDER = "images"
IMAGE_MARK = "<image>"
HUMAN, GPT = "human", "gpt"

NO_ANSWER = "no text for gpt to say"
SYSTEM = "system turns put in front of the human turn"
STRAY_MARKS = "texts in which <image> was written <IMAGE>"
EMPTY_HUMAN = "empty human turns put in front"
JOINED = "texts joined to the turn before"

Piece = tuple[str, str]
"""Speaker, and what is said."""


def export_llava(shards: Iterable[ShardStream], *, out: str, tally: Tally) -> None:
    """Write ``llava.json`` and ``images/NNNNN/KEY_N.jpg``."""
    with open_atomic(f"{out}/{JSON_NAME}") as file:
        file.write(b"[")
        is_first = True
        for shard in shards:
            folder = f"{out}/{IMAGE_FOLDER}/{shard.stem}"
            for sample in shard.samples:
                is_first = not _write_sample(file, sample, folder, tally=tally, is_first=is_first) and is_first
        file.write(b"\n]\n")


def llava_record(sample: StoredSample, *, stem: str, tally: Tally) -> dict[str, Any] | None:
    """Return a document as a conversation, or None if it gives gpt nothing to say.

    Args:
        sample: The document.
        stem: Folder of its images below ``images/``.
        tally: Counts what was left out or changed.
    """
    record = sample.record
    turns = make_turns(record, tally=tally)
    if all(speaker == HUMAN for speaker, _ in turns):
        tally.leave_out(record, NO_ANSWER)
        return None
    paths = [f"{stem}/{sample.key}_{number}.jpg" for number in range(len(sample.images))]
    tally.write(num_images=len(paths))
    entry: dict[str, Any] = {"id": sample.key}
    if paths:
        urls = [item["url"] for item in record["items"] if item["type"] == "image"]
        entry |= {"image": paths[0] if len(paths) == 1 else paths, "image_urls": urls}
    entry |= {"conversations": [{"from": speaker, "value": value} for speaker, value in turns]}
    entry |= {"doc_id": record["doc_id"], "kind": record["kind"], "source": record["source"], "url": record["url"]}
    return entry | said_of_origin(record)


def make_turns(record: Mapping[str, Any], *, tally: Tally) -> list[Piece]:
    """Return the turns of a document, human and gpt by turns, with an image mark per image in natural order."""
    turns: list[list[str]] = []
    for speaker, said in _pieces(record, tally):
        if turns and turns[-1][0] == speaker:
            turns[-1][1] += f"\n{said}"
        else:
            turns.append([speaker, said])
    if turns and turns[0][0] == GPT:
        tally.change(1, EMPTY_HUMAN)
        turns.insert(0, [HUMAN, ""])
    return [(speaker, said) for speaker, said in turns]


def _pieces(record: Mapping[str, Any], tally: Tally) -> Iterator[Piece]:
    items = record["items"]
    kinds = [item["type"] for item in items]
    first_image = kinds.index("image") if "image" in kinds else -1
    last_text = max((place for place, kind in enumerate(kinds) if kind == "text"), default=-1)
    before = None
    for place, item in enumerate(items):
        if item["type"] == "image":
            speaker = before if place > last_text and before is not None else HUMAN
            yield speaker, IMAGE_MARK
            continue
        role = item.get("role")
        speaker = _speaker(role, is_before_images=place < first_image < last_text)
        tally.change(role == "system", SYSTEM)
        tally.change(speaker == before and role != "system" and kinds[place - 1] == "text", JOINED)
        tally.change(IMAGE_MARK in item["text"], STRAY_MARKS)
        before = speaker
        yield speaker, item["text"].replace(IMAGE_MARK, IMAGE_MARK.upper())


def _speaker(role: str | None, *, is_before_images: bool) -> str:
    if role is None:
        return HUMAN if is_before_images else GPT
    return GPT if role == "assistant" else HUMAN


def _write_sample(file: HashingFile, sample: StoredSample, folder: str, *, tally: Tally, is_first: bool) -> bool:
    record = llava_record(sample, stem=folder.rpartition("/")[2], tally=tally)
    if record is None:
        return False
    file_system, root = open_folder(folder)
    file_system.makedirs(root, exist_ok=True)
    for number, data in enumerate(sample.images):
        file_system.pipe_file(f"{root}/{sample.key}_{number}.jpg", data)
    line = json.dumps(record, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    file.write((b"\n" if is_first else b",\n") + line.encode("utf-8", "replace"))
    return True
