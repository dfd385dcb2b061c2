"""Lets a rank whose batch is text alone run the vision tower and the projector all the same.

FSDP gathers the weights of a layer on all ranks together, so a rank that left them out would keep the others waiting.
Here they see a black image, whose features go nowhere: no token stands for them, and their gradient is exactly zero.

Shapes: see ``train_bridge.model``; T tokens of the image.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import LlavaForConditionalGeneration

from train_bridge.model.images import ImageForm, normalise


class _NoPart(torch.autograd.Function):
    """Embeddings as they are, and features without effect: ``0 * features`` would have one where one is infinite."""

    @staticmethod
    def forward(ctx: Any, embeds_bld: torch.Tensor, features_td: torch.Tensor) -> torch.Tensor:
        ctx.like = (features_td.shape, features_td.dtype, features_td.device)
        return embeds_bld.view_as(embeds_bld)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        shape, dtype, device = ctx.like
        return gradients[0], torch.zeros(shape, dtype=dtype, device=device)


@contextmanager
def running_idle_towers(model: LlavaForConditionalGeneration, *, form: ImageForm) -> Iterator[None]:
    """Let forward passes without pixels run the vision tower and the projector on a black image.

    Args:
        model: Sharded or not.
        form: Of its images.
    """

    def add_features(inner: Any, arguments: Any, named: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        embeds_bld = inner.get_input_embeddings()(named["input_ids"])
        black_1chw = torch.zeros((1, 3, form.height, form.width), dtype=torch.uint8, device=embeds_bld.device)
        pixels_1chw = normalise(black_1chw, form=form).to(embeds_bld.dtype)
        features = inner.get_image_features(pixel_values=pixels_1chw, return_dict=True).pooler_output
        embeds_bld = _NoPart.apply(embeds_bld, torch.cat([*features]))
        return arguments, {**named, "input_ids": None, "inputs_embeds": embeds_bld}

    # Of the inner model: inside the forward pass of the whole, in which FSDP has its embeddings gathered.
    handle = model.model.register_forward_pre_hook(add_features, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()
