"""A model that goes on with prompts, and says how likely it holds given answers."""

import io
from collections.abc import Sequence

import torch
from PIL import Image
from torch.nn import functional
from transformers import BatchFeature, LlavaForConditionalGeneration, LlavaProcessor

from train_bridge.config import StageConfig
from train_bridge.model.llava import build_model
from train_bridge.model.processor import build_processor
from train_bridge.model.prompt_inputs import is_cut, prompt_inputs


class Answerer:
    """Holds a model on a device."""

    def __init__(
        self, model: LlavaForConditionalGeneration, processor: LlavaProcessor, *, device: torch.device | None = None
    ) -> None:
        self._model = model.eval().to(device or torch.device("cpu"))
        self.processor = processor

    def answer(self, prompt: str, images: Sequence[bytes], *, max_new_tokens: int, has_begin: bool = False) -> str:
        """Return the likeliest continuation, token by token.

        Args:
            prompt: With a placeholder per image.
            images: JPEG or any that Pillow reads.
            max_new_tokens: Where it ends at the latest.
            has_begin: The prompt holds its begin token already, as chat templates write it.
        """
        inputs = self._inputs(prompt, images, has_begin=has_begin)
        tokenizer = self.processor.tokenizer
        with torch.no_grad():
            written_1l = self._model.generate(
                **inputs,
                max_new_tokens=max_new_tokens,
                do_sample=False,
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
            )
        return str(tokenizer.decode(written_1l[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True))

    def log_likelihoods(self, prompt: str, choices: Sequence[str], *, has_begin: bool = False) -> list[float]:
        """Return the log probability of each choice after a prompt without images, per byte of its text.

        Dividing by bytes compares choices of different lengths whatever the tokenizer (``acc_norm`` of EleutherAI's
        evaluation harness).
        """
        start_l = self._inputs(prompt, [], has_begin=has_begin)["input_ids"][0]
        return [self._score(start_l, choice) / max(1, len(choice.strip().encode())) for choice in choices]

    def _score(self, start_l: torch.Tensor, choice: str) -> float:
        added = self.processor.tokenizer(choice, add_special_tokens=False, return_tensors="pt")["input_ids"][0].long()
        ids_1l = torch.cat([start_l, added.to(start_l.device)])[None]
        with torch.no_grad():
            logits_kv = self._model(input_ids=ids_1l[:, :-1]).logits[0, len(start_l) - 1 :].float()
        return -float(functional.cross_entropy(logits_kv, ids_1l[0, len(start_l) :], reduction="sum"))

    def _inputs(self, prompt: str, images: Sequence[bytes], *, has_begin: bool) -> BatchFeature:
        if is_cut(self.processor.image_processor):
            inputs = prompt_inputs(self.processor, prompt, images, has_begin=has_begin)
            return BatchFeature(inputs).to(self._model.device)
        pictures = []
        for data in images:
            with Image.open(io.BytesIO(data)) as file:
                pictures.append(file.convert("RGB"))
        inputs = self.processor(
            text=prompt, images=pictures or None, return_tensors="pt", add_special_tokens=not has_begin
        )
        return inputs.to(self._model.device)


def load_answerer(config: StageConfig, *, device: torch.device | None = None) -> Answerer:
    """Load the exported folder ``config.init_from``.

    Raises:
        CurateError: It is no model that is trained here.
    """
    processor = build_processor(config)
    return Answerer(build_model(config, processor=processor), processor, device=device)
