import pytest
import torch
from transformers import LlavaConfig, LlavaForConditionalGeneration

from curate.contract.errors import CurateError
from tests.train_bridge.checkpoints.folders import new_text, new_vision
from train_bridge.model.assembled import assemble, model_class
from train_bridge.model.vila_llava import VilaLlava, VilaLlavaConfig


def test_classes_are_known_by_type() -> None:
    assert model_class("llava") is LlavaForConditionalGeneration
    assert model_class("vila_llava") is VilaLlava
    with pytest.raises(CurateError, match="type bert cannot be trained here; known are llava, vila_llava"):
        model_class("bert")


@pytest.mark.parametrize("settings_class", [LlavaConfig, VilaLlavaConfig])
def test_towers_are_taken_as_they_are(settings_class: type[LlavaConfig]) -> None:
    text, vision = new_text(), new_vision()
    settings = settings_class(vision_config=vision.config, text_config=text.config)
    model = assemble(settings, vision=vision, llm=text)
    assert model.model.vision_tower is vision
    assert model.model.language_model is text.model
    assert model.lm_head is text.lm_head
    assert all(parameter.device == torch.device("cpu") for parameter in model.parameters())
    again = type(model)(model.config)  # as other processes build it
    assert again.state_dict().keys() == model.state_dict().keys()
