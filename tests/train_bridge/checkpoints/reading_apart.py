"""Reads exported folders with plain transformers, in whatever environment it is started, and says what it computes.

``python reading_apart.py FOLDER...``: of each ``FOLDER/final``, logits of text alone and of text with two pictures, as
``FOLDER/found.pt``.
"""

import sys
from typing import Any

import torch
import transformers
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor


def read(folder: str) -> None:
    """Load, compute, write."""
    final = f"{folder}/final"
    model, info = AutoModelForImageTextToText.from_pretrained(
        final, trust_remote_code=True, output_loading_info=True, dtype=torch.float32
    )
    processor = AutoProcessor.from_pretrained(final, trust_remote_code=True)
    found = compute(model, processor)
    missing = sorted(map(str, [*info["missing_keys"], *info["unexpected_keys"], *info["mismatched_keys"]]))
    torch.save({**found, "missing": missing}, f"{folder}/found.pt")


def compute(model: torch.nn.Module, processor: Any) -> dict[str, Any]:
    """Return the logits of both, and the tokens of the one with pictures."""
    content = [{"type": "image"}, {"type": "image"}, {"type": "text", "text": "Which is red?"}]
    prompt = processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
    images = [Image.linear_gradient("L").convert("RGB"), Image.radial_gradient("L").convert("RGB").resize((90, 20))]
    both = processor(text=prompt, images=images, return_tensors="pt", add_special_tokens=False)
    text = processor(text="A red dog.", return_tensors="pt")
    with torch.no_grad():
        logits = {"text": model(**text).logits, "both": model(**both).logits}
    return {"logits": logits, "ids": both["input_ids"]}


if __name__ == "__main__":
    for one in sys.argv[1:]:
        read(one)
    sys.stdout.write(transformers.__version__ + "\n")
