"""A stored record to token ids and labels, with one placeholder per image that is expanded last.

A document is written as one text and tokenised in one call, as the model's processor does at inference; what belongs
to which item is read off the character offsets. An image stands as ``<image>`` and a line break. Ids of a document
count an image once until ``expand`` repeats the placeholder ``tokens_per_image`` times, which is what
``LlavaForConditionalGeneration`` replaces by image features.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from tokenizers import Encoding
from transformers import PreTrainedTokenizerBase

from curate.contract.errors import CurateError
from train_bridge.tokens.chat import PLAIN_TEMPLATE, ChatError, render_chat
from train_bridge.tokens.faults import SampleFault
from train_bridge.tokens.layout import ImagePiece, JsonObject, Layout, Placement, TextPiece, lay_out

IMAGE_MARK = "<image>"
"""How LLaVA's processor writes an image by default."""
IGNORED = -100
"""Label without loss (PyTorch's ``ignore_index``)."""
ENCODING_VERSION = 1
"""Part of every cache key: raise it when the same record would give other tokens."""

Ints = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True)
class TextForm:
    """How a document is written."""

    placement: Placement = "natural"
    max_images: int | None = None
    text_separator: str = " "
    labels: Literal["all", "assistant"] = "all"


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
    """Of each placeholder, in order, the image's place in the record."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Written:
    text: str
    labelled: tuple[tuple[int, int], ...]
    breaks: tuple[int, ...]
    images: tuple[int, ...]
    is_chat: bool


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
        self._tokenizer, self._form, self._image_mark = tokenizer, form, image_mark
        self._backend = tokenizer.backend_tokenizer  # without the wrapper, which sets its state anew in each call
        self._backend.no_truncation()
        self._backend.no_padding()
        self.image_token_id = int(image_ids[0])
        self.eos_id = int(tokenizer.eos_token_id)
        # A begin token is written exactly where the tokenizer itself writes one at inference.
        begins = tokenizer.bos_token_id is not None and tokenizer("a").input_ids[0] == tokenizer.bos_token_id
        self.bos_id: int | None = int(tokenizer.bos_token_id) if begins else None
        self._specials = tuple(sorted({*tokenizer.all_special_tokens, image_mark}))

    def fingerprint(self) -> str:
        """Return 16 hex digits that change with anything that changes tokens."""
        parts = {
            "version": ENCODING_VERSION,
            "tokenizer": self._backend.to_str(),
            "template": self._tokenizer.chat_template,
            "specials": self._specials,
            "form": [self._form.placement, self._form.max_images, self._form.text_separator, self._form.labels],
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
        except (KeyError, TypeError, AttributeError):
            return SampleFault.MALFORMED
        layout = [TextPiece(self._escape(p.text), p.role) if isinstance(p, TextPiece) else p for p in layout]
        images = tuple(piece.ordinal for piece in layout if isinstance(piece, ImagePiece))
        if not any(isinstance(piece, TextPiece) and piece.text.strip() for piece in layout):
            return SampleFault.NO_TEXT
        roles = {piece.role for piece in layout if isinstance(piece, TextPiece)}
        if self._form.labels == "assistant" and "assistant" not in roles:
            return SampleFault.NO_ASSISTANT
        if roles == {None}:
            return self._write_plain(layout, images)
        try:
            chat = render_chat(layout, tokenizer=self._tokenizer, image_mark=self._image_mark)
        except ChatError:
            return SampleFault.CHAT_TEMPLATE
        return _Written(text=chat.text, labelled=chat.labelled, breaks=chat.breaks, images=images, is_chat=True)

    def _write_plain(self, layout: Layout, images: tuple[int, ...]) -> _Written:
        """Join items; a new unit starts at the first image before a text, or at the text itself."""
        text, breaks, after_image = "", [], False
        for piece in layout:
            if text and not after_image:
                breaks.append(len(text))
                text += self._form.text_separator
            after_image = isinstance(piece, ImagePiece)
            text += f"{self._image_mark}\n" if isinstance(piece, ImagePiece) else piece.text
        return _Written(text=text, labelled=((0, len(text)),), breaks=tuple(breaks), images=images, is_chat=False)

    def _escape(self, text: str) -> str:
        """Break up text that spells a special token, or a page about LLMs would open images and end documents."""
        for special in self._specials:
            if special in text:
                text = text.replace(special, f"{special[:1]} {special[1:]}")
        return text

    def _finish(self, written: _Written, encoding: Encoding) -> Encoded | SampleFault:
        ids: list[int] = encoding.ids
        if ids.count(self.image_token_id) != len(written.images):
            return SampleFault.CHAT_TEMPLATE  # it leaves out, or repeats, what a turn says
        spans = np.maximum.accumulate(np.asarray(encoding.offsets, dtype=np.int64).reshape(-1, 2), axis=0)
        starts, ends = spans[:, 0], spans[:, 1]
        breaks = np.searchsorted(ends, np.asarray(written.breaks, dtype=np.int64), side="right")
        has_end = len(ids) > 0 and (ids[-1] == self.eos_id or (written.is_chat and self.eos_id in ids))
        before = [self.bos_id] if self.bos_id is not None and (ids or [self.eos_id])[0] != self.bos_id else []
        array = np.asarray([*before, *ids, *([] if has_end else [self.eos_id])], dtype=np.int32)
        labelled = array != self.image_token_id
        labelled[: len(before)] = False
        if self._form.labels == "assistant":
            labelled[len(before) :][: len(ids)] &= _overlaps(starts, ends, spans=written.labelled)
        breaks += len(before)
        return Encoded(ids=array, labelled=labelled, breaks=breaks.astype(np.int32), images=written.images)


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
