"""The CLIP encoder: open_clip's towers behind fixed-size batches.

N = rows asked for, B = batch size, D = width of the shared space.
"""

import importlib
import io
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, UnidentifiedImageError

from curate.contract.errors import CurateError
from curate.measure import tiny_clip
from curate.measure.config import ClipConfig

logger = logging.getLogger(__name__)

Embeddings = npt.NDArray[np.float32]
Preprocess = Callable[[Image.Image], torch.Tensor]
Tokenizer = Callable[[list[str]], torch.Tensor]

DRAFT_MARGIN = 2
"""A JPEG is decoded at a reduced size if that leaves at least this many times the model's input side."""

_AUTOCAST_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


class ClipEncoder:
    """Turns images and texts into unit vectors that can be compared by their dot product.

    Every forward pass has exactly ``batch_size`` rows, the last one filled up with zeros, and a fixed number of
    threads, so that a score does not depend on how many neighbours its row has. When CUDA runs out of memory, the batch
    size is halved for the rest of the encoder's life.
    """

    def __init__(self, model: Any, preprocess: Preprocess, tokenizer: Tokenizer, *, config: ClipConfig) -> None:
        """Take a model to the device that ``config`` asks for.

        Args:
            model: An open_clip model: ``encode_image``, ``encode_text`` and ``visual.image_size``.
            preprocess: An upright PIL image -> float tensor [3, H, W].
            tokenizer: Texts -> integer tensor [N, context length].
            config: How to run it.

        Raises:
            CurateError: ``device: cuda`` on a machine without.
        """
        self.device = choose_device(config.device)
        self.batch_size = config.batch_size
        self._num_threads = config.num_threads
        # On a CPU bfloat16 and float16 are emulated unless it has AMX or AVX512-BF16: slower than float32, and the
        # rounding differs from machine to machine.
        self._autocast_dtype = _AUTOCAST_DTYPES.get(config.precision) if self.device.type == "cuda" else None
        self._model = model.to(self.device).eval()
        self._preprocess = preprocess
        self._tokenizer = tokenizer
        self._draft_side_px = DRAFT_MARGIN * max(_pair(model.visual.image_size))

    def encode_images(self, images: Sequence[bytes | Image.Image]) -> Embeddings:
        """Return [N, D] unit vectors; a row of NaN where an image does not decode.

        Images are decoded batch by batch, so memory does not grow with N.
        """
        return self._encode(images, self._prepare_images, self._model.encode_image)

    def encode_texts(self, texts: Sequence[str]) -> Embeddings:
        """Return [N, D] unit vectors. What is beyond the model's context length is not read."""
        return self._encode(texts, self._prepare_texts, self._model.encode_text)

    def _encode(
        self,
        rows: Sequence[Any],
        prepare: Callable[[Sequence[Any]], tuple[torch.Tensor, npt.NDArray[np.bool_]]],
        forward: Callable[[torch.Tensor], torch.Tensor],
    ) -> Embeddings:
        """Encode any number of rows; an empty sequence gives [0, 0]."""
        if not rows:
            return np.zeros((0, 0), dtype=np.float32)
        done: list[Embeddings] = []
        start = 0
        with _fixed_threads(self._num_threads), torch.inference_mode():
            while start < len(rows):
                size = self.batch_size
                inputs, usable = prepare(rows[start : start + size])
                vectors = self._forward(inputs, forward, size=size)
                if vectors is None:
                    torch.cuda.empty_cache()
                    continue
                vectors[~usable] = np.nan
                done.append(vectors)
                start += len(usable)
        return np.concatenate(done)

    def _forward(
        self, inputs: torch.Tensor, forward: Callable[[torch.Tensor], torch.Tensor], *, size: int
    ) -> Embeddings | None:
        """Return [len(inputs), D] from one pass over ``size`` rows, or None after halving the batch size."""
        padded = inputs.new_zeros((size, *inputs.shape[1:]))
        padded[: len(inputs)] = inputs
        enabled = self._autocast_dtype is not None
        try:
            with torch.autocast(self.device.type, dtype=self._autocast_dtype, enabled=enabled):
                raw = forward(padded.to(self.device))
        except torch.OutOfMemoryError:
            if self.batch_size == 1:
                raise
            self.batch_size = size // 2
            logger.warning("out of GPU memory with %d rows a batch; going on with %d", size, self.batch_size)
            return None
        vectors = torch.nn.functional.normalize(raw[: len(inputs)].float(), dim=-1)
        return np.array(vectors.cpu().numpy(), dtype=np.float32)

    def _prepare_images(self, images: Sequence[bytes | Image.Image]) -> tuple[torch.Tensor, npt.NDArray[np.bool_]]:
        # Decoding and resizing let go of Python's lock. At 4 ms an image on one core they cost more than a GPU's pass.
        with ThreadPoolExecutor(self._num_threads) as pool:
            tensors = list(pool.map(self._prepare_image, images))
        usable = np.array([tensor is not None for tensor in tensors])
        blank = next((torch.zeros_like(tensor) for tensor in tensors if tensor is not None), None)
        if blank is None:
            blank = torch.zeros_like(self._preprocess(Image.new("RGB", (1, 1))))
        return torch.stack([blank if tensor is None else tensor for tensor in tensors]), usable

    def _prepare_image(self, image: bytes | Image.Image) -> torch.Tensor | None:
        if isinstance(image, Image.Image):
            return self._preprocess(image)
        try:
            with Image.open(io.BytesIO(image)) as opened:
                opened.draft("RGB", (self._draft_side_px, self._draft_side_px))
                return self._preprocess(opened.convert("RGB"))
        except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
            return None

    def _prepare_texts(self, texts: Sequence[str]) -> tuple[torch.Tensor, npt.NDArray[np.bool_]]:
        return self._tokenizer(list(texts)), np.ones(len(texts), dtype=np.bool_)


def load_encoder(config: ClipConfig) -> ClipEncoder:
    """Load a model with its weights through open_clip.

    Raises:
        CurateError: The model or its weights cannot be found or read; the text says which and why.
    """
    # Importing open_clip takes seconds, and only a process that encodes needs it.
    open_clip = importlib.import_module("open_clip")
    name = f"local-dir:{tiny_clip.model_dir()}" if config.model == "tiny" else config.model
    pretrained = None if config.names_its_place else config.pretrained
    trained_as = open_clip.get_pretrained_cfg(config.model.replace("/", "-"), pretrained or "")
    try:
        model, preprocess = open_clip.create_model_from_pretrained(
            name,
            pretrained=pretrained,
            # OpenAI's weights were trained with another activation than the models' configurations say.
            force_quick_gelu=bool(trained_as.get("quick_gelu")),
        )
        tokenizer = open_clip.get_tokenizer(name)
    except (RuntimeError, OSError, ValueError) as error:
        raise CurateError(f"clip model {config.model!r}, weights {pretrained!r}: {error}") from error
    return ClipEncoder(model, preprocess, tokenizer, config=config)


def choose_device(name: str) -> torch.device:
    """Return the torch device for ``auto``, ``cpu`` or ``cuda``.

    Raises:
        CurateError: CUDA is asked for and there is none.
    """
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise CurateError("clip.device is cuda, but this machine has no usable CUDA device; use auto or cpu")
    return torch.device("cuda" if name == "cuda" or (name == "auto" and available) else "cpu")


@contextmanager
def _fixed_threads(num_threads: int) -> Iterator[None]:
    """Run torch with ``num_threads`` inside the block; another part of the process may have set another number."""
    before = torch.get_num_threads()
    torch.set_num_threads(num_threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _pair(image_size: int | tuple[int, int]) -> tuple[int, int]:
    return (image_size, image_size) if isinstance(image_size, int) else image_size
