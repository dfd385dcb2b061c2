"""LLaVA with what some language models and vision towers need and the plain class has not.

The plain class has an output matrix and nothing behind it, and drops at most one token of the vision tower. Gemma 2
caps its logits, Phi has a bias behind its matrix, DINOv2 has registers behind its class token. What a model has of
these its configuration says, so that it can be built from that alone. An exported folder carries this file, and
``from_pretrained(folder, trust_remote_code=True)`` runs it from there: it must import torch and transformers only.

Shapes: N images, T tokens of the vision tower behind the class token, C channels.
"""

import torch
from torch import nn
from transformers import LlavaConfig, LlavaForConditionalGeneration
from transformers.models.llava.modeling_llava import LlavaMultiModalProjector


class FamilyLlavaConfig(LlavaConfig):  # type: ignore[misc]  # transformers has no types
    """Configuration of ``FamilyLlava``: LLaVA's, and what it needs more."""

    model_type = "llava_family"

    lm_head_bias: bool = False
    """Whether the output matrix has a bias behind it."""
    logit_softcap: float | None = None
    """Logits are ``cap * tanh(logits / cap)``; None does not cap."""
    num_registers: int = 0
    """Tokens between the class token and the patches that are dropped with it."""


class Head(nn.Linear):
    """An output matrix, with a bias and a cap where the language model has them."""

    def __init__(self, config: FamilyLlavaConfig) -> None:
        text = config.text_config
        super().__init__(text.hidden_size, text.vocab_size, bias=config.lm_head_bias)
        self.softcap = config.logit_softcap

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002 - torch's name
        """Return the logits of hidden states."""
        logits = super().forward(input)
        return logits if self.softcap is None else self.softcap * torch.tanh(logits / self.softcap)


class PatchProjector(LlavaMultiModalProjector):  # type: ignore[misc]  # transformers has no types
    """LLaVA's projector, of the patches alone."""

    def __init__(self, config: FamilyLlavaConfig) -> None:
        super().__init__(config)
        self.num_registers = config.num_registers

    def forward(self, image_features: torch.Tensor) -> torch.Tensor:
        """Return the images' tokens of their features [N, T, C]."""
        return torch.as_tensor(super().forward(image_features[:, self.num_registers :]))


class FamilyLlava(LlavaForConditionalGeneration):  # type: ignore[misc]  # transformers has no types
    """``LlavaForConditionalGeneration`` with another head and projector."""

    config_class = FamilyLlavaConfig

    def __init__(self, config: FamilyLlavaConfig) -> None:
        super().__init__(config)
        self.model.multi_modal_projector = PatchProjector(config)
        self.lm_head = Head(config)
        self.post_init()
