"""Lengths of documents as in pre-training, made up: what the plan's speed and fill are measured on."""

from fractions import Fraction

import numpy as np

from curate.blend.curve import constant_curve
from train_bridge.packing.draw import Counts, DrawEntry, Rows
from train_bridge.packing.plan import PlanSettings
from train_bridge.packing.split import Capacity, Counted

SETTINGS = PlanSettings(capacity=Capacity(seq_length=4096, tokens_per_image=576, has_bos=True), order="shuffled")
"""VILA's sequence and image."""
BREAK_EVERY = 60
"""Tokens of an item of text, after which a document can be cut."""


class MadeUpCounts:
    """Pairs of an image and a short caption, interleaved documents, texts: half, 30 % and 20 % of the samples.

    An image is 576 tokens; captions, whole interleaved documents and texts are lognormal around 45, 2,150 and 350
    tokens; the mean is about 1,320, and one document in 16 is longer than a sequence of 4,096. Documents can be cut
    before each image and every 60 tokens.
    """

    num_groups = 3
    shares = (0.3, 0.6, 0.1)

    def __init__(self, num_rows: int) -> None:
        """Draw the lengths; what does not fit a sequence is laid out, so that looking it up costs nothing later."""
        rng = np.random.default_rng(0)
        self._kind = np.searchsorted([0.5, 0.8], rng.random(num_rows), side="right")
        whole = rng.lognormal(np.log(2150), 0.8, num_rows)
        captions = rng.lognormal(np.log(45), 0.5, num_rows)
        texts = rng.lognormal(np.log(350), 1.0, num_rows)
        images = np.maximum(1, (0.6 * whole / 576).astype(np.int64))
        self._images = np.choose(self._kind, [1, images, 0])
        words = np.choose(self._kind, [captions, np.maximum(whole - 576 * images, 40), texts])
        self._ids = np.maximum(4, words.astype(np.int64)) + self._images
        self.entries = [
            DrawEntry(name=str(i), rows=np.flatnonzero(self._kind == i), curve=constant_curve(Fraction(str(share))))
            for i, share in enumerate(self.shares)
        ]
        is_long = self._ids + 575 * self._images > SETTINGS.capacity.seq_length
        self._documents = {row: self._lay_out(row) for row in np.flatnonzero(is_long).tolist()}

    def counts(self, rows: Rows) -> Counts:
        """Return the counts of ``rows`` [K]."""
        ids, images = self._ids[rows], self._images[rows]
        return Counts(num_ids=ids, num_images=images, num_labels=ids - images, group=self._kind[rows])

    def document(self, row: int) -> Counted:
        """Return the places of a long document's images and breaks."""
        return self._documents[row]

    def _lay_out(self, row: int) -> Counted:
        num_ids, num_images = int(self._ids[row]), int(self._images[row])
        places = np.linspace(0, num_ids, num_images, endpoint=False).astype(np.int32)
        breaks = np.unique(np.concatenate([places, np.arange(0, num_ids, BREAK_EVERY)]))[1:].astype(np.int32)
        spans = np.array([0, num_ids], dtype=np.int32)
        return Counted(num_ids=num_ids, image_at=places, breaks=breaks, label_spans=spans)
