"""A stored record to token ids and labels, with one placeholder per image that is expanded last.

A document is written as one text and tokenised in one call, as the model's processor does at inference; what belongs
to which item is read off the character offsets. An image stands as ``<image>`` and a line break. Ids of a document
count an image once until ``expand`` repeats the placeholder ``tokens_per_image`` times, which is what
``LlavaForConditionalGeneration`` replaces by image features.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
from tokenizers import Encoding
from transformers import PreTrainedTokenizerBase

from curate.contract.errors import CurateError
from curate.contract.reasons import Role
from train_bridge.tokens.chat import PLAIN_TEMPLATE, ChatError, ChatTemplate
from train_bridge.tokens.faults import SampleFault
from train_bridge.tokens.image_places import Grid, places_of, replace_placeholders
from train_bridge.tokens.layout import ImagePiece, JsonObject, Layout, Placement, TextPiece, lay_out
from train_bridge.tokens.tiling import Tiling
from train_bridge.tokens.turns import Turn, gather_turns

IMAGE_MARK = "<image>"
"""How LLaVA's processor writes an image by default."""
IGNORED = -100
"""Label without loss (PyTorch's ``ignore_index``)."""
ENCODING_VERSION = 3
"""Part of every cache key: raise it when the same record would give other tokens."""

JOINER = "\u2060"
"""WORD JOINER: stands in text that spells a special token, where nobody sees it and no tokenizer reads over it."""
LATER = {"tiling", "image_newline"}
"""Fields of ``TextForm`` that are younger than counts that are still good: they count where they are set."""
PROBE_ANSWERS = ("A dog.", "42", "(b)", "\u00e9t\u00e9", "\u72ac")

Ints = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True)
class TextForm:
    """How a document is written."""

    placement: Placement = "natural"
    max_images: int | None = None
    text_separator: str = " "
    labels: Literal["all", "assistant"] = "all"
    folds_system: bool = True
    """Put what the system says into the user's first turn where the chat template takes no system."""
    tiling: Tiling | None = None
    """How images are cut into crops; None: an image is one placeholder."""
    image_newline: bool = False
    """A line break behind each image comes from the model's encoder, as NVILA has it, and not from the text."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoded:
    """A document in N tokens, an image counting as one."""

    ids: Ints
    """[N]"""
    labelled: Bools
    """[N]: tokens with loss; never images."""
    breaks: Ints
    """Indices, rising, at which the document is best split: before an item with its images, or a user's turn."""
    images: tuple[int, ...]
    """Of each placeholder, in order, the image's place in the record; one of several crops stands here several times,
    one behind the other."""
    grids: Mapping[int, Grid] = field(default_factory=dict)
    """Rows and columns of crops of an image, by its place in the record, where images are cut."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Written:
    text: str
    labelled: tuple[tuple[int, int], ...]
    breaks: tuple[int, ...]
    images: tuple[int, ...]
    is_chat: bool
    grids: Mapping[int, Grid] = field(default_factory=dict)


class TextEncoder:
    """Encodes records with one tokenizer and one form. Safe to use from threads."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, *, form: TextForm, image_mark: str = IMAGE_MARK) -> None:
        """Check that the tokenizer can be used.

        Args:
            tokenizer: One without a chat template is given ``PLAIN_TEMPLATE``.
            form: How documents are written.
            image_mark: Its placeholder of an image, which must be one token.

        Raises:
            CurateError: No character offsets, no end-of-sequence token or no image token.
        """
        if not tokenizer.is_fast:
            raise CurateError("the tokenizer gives no character offsets; use its fast version (tokenizer.json)")
        if tokenizer.eos_token_id is None:
            raise CurateError("the tokenizer has no end-of-sequence token")
        image_ids = tokenizer.encode(image_mark, add_special_tokens=False)
        if len(image_ids) != 1:
            raise CurateError(f"{image_mark} is not one token of the tokenizer; add it as a special token")
        if not tokenizer.chat_template:
            tokenizer.chat_template = PLAIN_TEMPLATE
        self._tokenizer, self._form = tokenizer, form
        self._image_text = image_mark if form.image_newline else f"{image_mark}\n"
        self._backend = tokenizer.backend_tokenizer  # without the wrapper, which sets its state anew in each call
        self._backend.no_truncation()
        self._backend.no_padding()
        self.image_token_id = int(image_ids[0])
        self._newline_ids = self._ids("\n") if form.tiling or form.image_newline else []
        self.eos_id = int(tokenizer.eos_token_id)
        # A begin token is written exactly where the tokenizer itself writes one at inference.
        begins = tokenizer.bos_token_id is not None and tokenizer("a").input_ids[0] == tokenizer.bos_token_id
        self.bos_id: int | None = int(tokenizer.bos_token_id) if begins else None
        added = {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
        self._specials = tuple(sorted({*tokenizer.all_special_tokens, *added, image_mark}))
        self.chat = ChatTemplate(
            tokenizer, image_text=self._image_text, specials=self._specials, folds_system=form.folds_system
        )
        self.answer_end_id = self._find_answer_end()
        """The token that answers end with: what a server has to stop at."""

    def fingerprint(self) -> str:
        """Return 16 hex digits that change with anything that changes tokens."""
        parts = {
            "version": ENCODING_VERSION,
            "tokenizer": self._backend.to_str(),
            "template": self._tokenizer.chat_template,
            "specials": self._specials,
            "form": {n: v for n, v in asdict(self._form).items() if n not in LATER or v},
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]

    def encode(self, records: Sequence[JsonObject]) -> list[Encoded | SampleFault]:
        """Encode records, each ``KEY.json`` of a shard, in one call of the tokenizer."""
        written = [self._write(record) for record in records]
        texts = [w.text for w in written if isinstance(w, _Written)]
        if not texts:
            return [w for w in written if isinstance(w, SampleFault)]
        encodings = iter(self._backend.encode_batch(texts, add_special_tokens=False))
        return [w if isinstance(w, SampleFault) else self._finish(w, next(encodings)) for w in written]

    def _write(self, record: JsonObject) -> _Written | SampleFault:
        try:
            layout = lay_out(record, placement=self._form.placement, max_images=self._form.max_images)
            images = tuple(piece.ordinal for piece in layout if isinstance(piece, ImagePiece))
            grids = self._grids(record, images)
        except (KeyError, TypeError, AttributeError, ValueError, ZeroDivisionError):
            return SampleFault.MALFORMED
        layout = [TextPiece(self._escape(p.text), p.role) if isinstance(p, TextPiece) else p for p in layout]
        if not any(isinstance(piece, TextPiece) and piece.text.strip() for piece in layout):
            return SampleFault.NO_TEXT
        roles = {piece.role for piece in layout if isinstance(piece, TextPiece)}
        if self._form.labels == "assistant" and "assistant" not in roles:
            return SampleFault.NO_ASSISTANT
        if roles == {None}:
            return replace(self._write_plain(layout, images), grids=grids)
        try:
            chat = self.chat.render(gather_turns(layout))
        except ChatError as error:
            return error.fault
        return _Written(
            text=chat.text, labelled=chat.labelled, breaks=chat.breaks, images=images, is_chat=True, grids=grids
        )

    def _write_plain(self, layout: Layout, images: tuple[int, ...]) -> _Written:
        """Join items; a new unit starts at the first image before a text, or at the text itself."""
        text, breaks, after_image = "", [], False
        for piece in layout:
            if text and not after_image:
                breaks.append(len(text))
                text += self._form.text_separator
            after_image = isinstance(piece, ImagePiece)
            text += self._image_text if isinstance(piece, ImagePiece) else piece.text
        return _Written(text=text, labelled=((0, len(text)),), breaks=tuple(breaks), images=images, is_chat=False)

    def _escape(self, text: str) -> str:
        """Make text inert that spells a special token, or a page about LLMs would open images and end documents."""
        for special in self._specials:
            if special in text:
                text = text.replace(special, f"{special[:1]}{JOINER}{special[1:]}")
        return text

    def prompt_warnings(self) -> list[str]:
        """Say where what a model is asked at inference is not the beginning of what it learns from.

        The tokens of a prompt have to be the first ones of the prompt with its answer; where a template or a tokenizer
        breaks that, a model is asked in a way that it has never seen.
        """
        ask = Turn(Role.USER, (TextPiece("What is it?"),))
        try:
            prompt = self.chat.prompt([ask])
            written = [self.chat.render([ask, Turn(Role.ASSISTANT, (TextPiece(a),))]).text for a in PROBE_ANSWERS]
        except ChatError as error:
            return [f"the chat template cannot be used: {error}"]
        ids = self._ids(prompt)
        if any(not text.startswith(prompt) for text in written):
            return ["the chat template ends a prompt otherwise than it begins an answer"]
        other = [a for a, text in zip(PROBE_ANSWERS, written, strict=True) if self._ids(text)[: len(ids)] != ids]
        return [f"the tokenizer joins the end of a prompt with an answer such as {other[0]!r}"] if other else []

    def _ids(self, text: str) -> list[int]:
        return list(self._backend.encode(text, add_special_tokens=False).ids)

    def _find_answer_end(self) -> int:
        ids = self._ids(self.chat.end_mark)
        return ids[-1] if ids and self._tokenizer.convert_ids_to_tokens(ids[-1]) in self._specials else self.eos_id

    def _finish(self, written: _Written, encoding: Encoding) -> Encoded | SampleFault:
        ids: list[int] = encoding.ids
        if ids.count(self.image_token_id) != len(written.images):
            return SampleFault.IMAGE_LOST
        spans = np.maximum.accumulate(np.asarray(encoding.offsets, dtype=np.int64).reshape(-1, 2), axis=0)
        starts, ends = spans[:, 0], spans[:, 1]
        breaks = np.searchsorted(ends, np.asarray(written.breaks, dtype=np.int64), side="right")
        # Where a template ends answers by itself, nothing comes behind it.
        has_end = bool(ids) and (ids[-1] == self.eos_id or (written.is_chat and bool(self.chat.end_mark)))
        before = [self.bos_id] if self.bos_id is not None and (ids or [self.eos_id])[0] != self.bos_id else []
        array = np.asarray([*before, *ids, *([] if has_end else [self.eos_id])], dtype=np.int32)
        labelled = array != self.image_token_id
        labelled[: len(before)] = False
        if self._form.labels == "assistant":
            labelled[len(before) :][: len(ids)] &= _overlaps(starts, ends, spans=written.labelled)
            if not labelled.any():
                return SampleFault.ANSWER_NOT_FOUND
        breaks += len(before)
        encoded = Encoded(ids=array, labelled=labelled, breaks=breaks.astype(np.int32), images=written.images)
        return self._with_places(encoded, written.grids) if self._newline_ids and written.images else encoded

    def _with_places(self, encoded: Encoded, grids: Mapping[int, Grid]) -> Encoded:
        """Let each image take the places that it has in the model."""
        places = {
            ordinal: places_of(
                grids.get(ordinal, (1, 1)),
                tiling=self._form.tiling,
                image_token_id=self.image_token_id,
                newline_ids=self._newline_ids,
                adds_newline=self._form.image_newline,
            )
            for ordinal in encoded.images
        }
        ids, labelled, breaks = replace_placeholders(
            encoded.ids,
            encoded.labelled,
            encoded.breaks,
            image_token_id=self.image_token_id,
            places=[places[ordinal] for ordinal in encoded.images],
        )
        repeated = tuple(
            ordinal for ordinal in encoded.images for _ in range(places[ordinal].count(self.image_token_id))
        )
        return Encoded(ids=ids, labelled=labelled, breaks=breaks, images=repeated, grids=grids)

    def _grids(self, record: JsonObject, images: Sequence[int]) -> dict[int, Grid]:
        """Return the grids of images, by the sizes that the record has for them.

        Raises:
            KeyError, TypeError: It has none.
        """
        tiling = self._form.tiling
        if tiling is None:
            return {}
        items = [item for item in record["items"] if item["type"] != "text"]
        return {one: tiling.grid(int(items[one]["width"]), int(items[one]["height"])) for one in images}


def expand(ids: Ints, labelled: Bools, *, image_token_id: int, tokens_per_image: int) -> tuple[Ints, Ints]:
    """Repeat placeholders and make labels.

    Args:
        ids: [N], an image counting as one.
        labelled: [N].
        image_token_id: The placeholder.
        tokens_per_image: How often it is repeated: what the vision tower gives for one image.

    Returns:
        Ids and labels, [M] each. A label is the id itself, or ``IGNORED`` at images, where ``labelled`` is false, and
        at the first token, which no token of this document precedes.
    """
    repeats = np.where(ids == image_token_id, tokens_per_image, 1)
    expanded = np.repeat(ids, repeats)
    labels = np.where(np.repeat(labelled & (ids != image_token_id), repeats), expanded, np.int32(IGNORED))
    labels[:1] = IGNORED
    return expanded, labels


def _overlaps(starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64], *, spans: Sequence[tuple[int, int]]) -> Bools:
    """Say of each token [N] whether it has a character inside one of the spans."""
    found = np.zeros(len(starts), dtype=np.bool_)
    for begin, stop in spans:
        found |= (starts < stop) & (ends > begin)
    return found
