from typing import Any

import pytest
from transformers import LlavaForConditionalGeneration

from curate.contract.errors import CurateError
from train_bridge.model.classes import model_class, stored_dtype
from train_bridge.model.family_llava import FamilyLlava
from train_bridge.model.vila_llava import VilaLlava


def test_classes_are_known_by_type() -> None:
    assert model_class("llava") is LlavaForConditionalGeneration
    assert model_class("vila_llava") is VilaLlava
    assert model_class("llava_family") is FamilyLlava
    with pytest.raises(CurateError, match="type bert cannot be trained here; known are llava, vila_llava"):
        model_class("bert")


@pytest.mark.parametrize(
    ("settings", "dtype"),
    [
        ({"dtype": "bfloat16"}, "bfloat16"),
        ({"torch_dtype": "float16"}, "float16"),
        ({"text_config": {"torch_dtype": "bfloat16"}}, "bfloat16"),
        ({"model_dtype": "torch.bfloat16"}, "bfloat16"),
        ({"dtype": "auto"}, "float32"),
        ({}, "float32"),
    ],
)
def test_a_folder_says_what_its_weights_are(settings: dict[str, Any], dtype: str) -> None:
    assert stored_dtype(settings) == dtype
