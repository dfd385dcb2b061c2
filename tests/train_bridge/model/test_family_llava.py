import torch
from transformers import Dinov2WithRegistersConfig, LlamaConfig, LlavaForConditionalGeneration

from train_bridge.model.family_llava import FamilyLlava, FamilyLlavaConfig, Head, PatchProjector

SIZES = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
TEXT = LlamaConfig(**SIZES, intermediate_size=32, vocab_size=50)
VISION = Dinov2WithRegistersConfig(**SIZES, mlp_ratio=2, image_size=16, patch_size=8, num_register_tokens=3)


def config(**fields: object) -> FamilyLlavaConfig:
    return FamilyLlavaConfig(text_config=TEXT, vision_config=VISION, vision_feature_layer=-1, **fields)


def test_a_head_adds_its_bias_before_it_caps() -> None:
    head = Head(config(lm_head_bias=True, logit_softcap=2.0))
    torch.nn.init.constant_(head.bias, 5.0)
    hidden = torch.randn(3, 16)
    assert torch.allclose(head(hidden), 2 * torch.tanh((hidden @ head.weight.T + 5) / 2), atol=1e-6)


def test_a_head_without_either_is_the_plain_one() -> None:
    head = Head(config())
    assert head.bias is None
    hidden = torch.randn(3, 16)
    assert torch.equal(head(hidden), hidden @ head.weight.T)


def test_registers_are_dropped_behind_the_class_token() -> None:
    model = FamilyLlava(config(num_registers=3)).eval()
    pixels = torch.randn(1, 3, 16, 16)
    found = model.get_image_features(pixel_values=pixels).pooler_output[0]
    hidden = model.model.vision_tower(pixels, output_hidden_states=True).hidden_states[-1]
    plain = LlavaForConditionalGeneration(config()).model.multi_modal_projector
    plain.load_state_dict(model.model.multi_modal_projector.state_dict())
    assert torch.allclose(found, plain(hidden[0, 4:]), atol=1e-6)
    assert isinstance(model.model.multi_modal_projector, PatchProjector)


def test_tied_matrices_are_one() -> None:
    text = LlamaConfig(**SIZES, intermediate_size=32, vocab_size=50, tie_word_embeddings=True)
    model = FamilyLlava(FamilyLlavaConfig(text_config=text, vision_config=VISION, logit_softcap=1.0))
    assert model.lm_head.weight is model.model.language_model.embed_tokens.weight
