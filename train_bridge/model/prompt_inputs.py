"""A prompt with images as the model takes it, where transformers has no processor for it: crops, NVILA's line break."""

import io
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from transformers import LlavaProcessor

from train_bridge.model.image_modes import ImageProcessor, has_newline, image_form
from train_bridge.model.images import decode_crops, decode_image, normalise
from train_bridge.model.processor import tokens_per_image
from train_bridge.tokens.image_places import places_of


def is_cut(processor: ImageProcessor) -> bool:
    """Say whether images are cut into crops, or have a line break behind them that comes from the model."""
    return image_form(processor).tiling is not None or has_newline(processor)


def prompt_inputs(
    processor: LlavaProcessor, prompt: str, images: Sequence[bytes], *, has_begin: bool
) -> dict[str, torch.Tensor]:
    """Return ``input_ids`` [1, L], and where there are images their ``pixel_values`` and, with S2, ``image_sizes``.

    Args:
        processor: Of a model of ours.
        prompt: With a placeholder and a line break per image.
        images: Any that Pillow reads.
        has_begin: The prompt holds its begin token already.
    """
    form, newline = image_form(processor.image_processor), has_newline(processor.image_processor)
    tokenizer, mark = processor.tokenizer, processor.image_token
    if newline:
        prompt = prompt.replace(f"{mark}\n", mark)
    grids = [_grid(data, form.tiling.grid if form.tiling else None) for data in images]
    newline_ids = tokenizer.encode("\n", add_special_tokens=False)
    left = iter(grids)
    ids: list[int] = []
    for one in tokenizer(prompt, add_special_tokens=not has_begin).input_ids:
        if one != processor.image_token_id:
            ids.append(one)
            continue
        places = places_of(
            next(left),
            tiling=form.tiling,
            image_token_id=one,
            newline_ids=newline_ids,
            adds_newline=newline,
        )
        ids += np.repeat(places, [tokens_per_image(processor) if p == one else 1 for p in places]).tolist()
    inputs = {"input_ids": torch.tensor([ids])}
    if not images:
        return inputs
    crops = [
        crop
        for data, grid in zip(images, grids, strict=True)
        for crop in (decode_crops(data, form=form, grid=grid) if form.tiling else [decode_image(data, form=form)])
    ]
    inputs["pixel_values"] = normalise(torch.from_numpy(np.stack(crops)), form=form)
    if form.tiling is not None and form.tiling.mode == "s2":
        inputs["image_sizes"] = torch.tensor(grids)
    return inputs


def _grid(data: bytes, choose: object) -> tuple[int, int]:
    if not callable(choose):
        return 1, 1
    with Image.open(io.BytesIO(data)) as image:
        rows, columns = choose(*image.size)
    return int(rows), int(columns)
