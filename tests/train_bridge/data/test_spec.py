from typing import Any

import pytest
from transformers import LlavaProcessor

from curate.contract.errors import RecipeError
from tests.train_bridge.conftest import TOKENS_PER_IMAGE
from train_bridge.config import ChatConfig, DataConfig, PackConfig
from train_bridge.data.spec import dataset_spec, plan_settings, text_form

PACK = PackConfig(seq_length=64, window=7, age_limit=3, max_carry=5, max_images=2)


def test_every_setting_arrives(processor: LlavaProcessor) -> None:
    data = DataConfig(
        shards=("one", "two"),
        order="shuffled",
        seed=3,
        weights={"pair": 1},
        weight_unit="samples",
        long_documents="truncate",
        placement="matched",
        max_images=4,
        labels="assistant",
        validation_share=0.25,
    )
    plan = plan_settings(data, PACK, processor=processor, has_bos=True)
    assert (plan.capacity.seq_length, plan.capacity.tokens_per_image, plan.capacity.has_bos) == (
        64,
        TOKENS_PER_IMAGE,
        True,
    )
    assert (plan.order, plan.seed, plan.unit, plan.long_documents) == ("shuffled", 3, "samples", "truncate")
    assert (plan.window, plan.age_limit, plan.max_carry, plan.max_images) == (7, 3, 5, 2)
    spec = dataset_spec(data, plan=plan, length_paths=("a", "b"), processor=processor, processor_folder="p")
    assert (spec.folders, spec.length_paths, spec.processor_folder) == (("one", "two"), ("a", "b"), "p")
    assert (spec.image_form.height, spec.image_mark) == (16, "<image>")
    assert spec.text_form == text_form(data, processor)
    assert (spec.text_form.placement, spec.text_form.max_images, spec.text_form.labels) == ("matched", 4, "assistant")
    assert (spec.weights, spec.validation_share) == ({"pair": 1}, 0.25)


@pytest.mark.parametrize(
    ("labels", "written", "cut"),
    [("all", None, "split"), ("assistant", None, "with_images"), ("assistant", "split", "split")],
)
def test_answers_keep_their_pictures_unless_the_stage_says_otherwise(
    processor: LlavaProcessor, labels: Any, written: Any, cut: str
) -> None:
    data = DataConfig(shards=("one",), labels=labels, long_documents=written)
    assert plan_settings(data, PACK, processor=processor, has_bos=True).long_documents == cut


def test_a_system_turn_is_folded_unless_it_shall_be_refused(processor: LlavaProcessor) -> None:
    chats = (ChatConfig(), ChatConfig(system="refuse"))
    forms = [text_form(DataConfig(shards=("one",), chat=chat), processor) for chat in chats]
    assert [form.folds_system for form in forms] == [True, False]


def test_a_sequence_must_hold_an_image(processor: LlavaProcessor) -> None:
    data = DataConfig(shards=("one",))
    with pytest.raises(RecipeError, match="16 is too short, an image is"):
        plan_settings(
            data,
            PackConfig(seq_length=16),
            processor=_with_large_images(processor),
            has_bos=True,
        )


def _with_large_images(processor: LlavaProcessor) -> LlavaProcessor:
    return LlavaProcessor(
        image_processor=processor.image_processor,
        tokenizer=processor.tokenizer,
        patch_size=2,
        vision_feature_select_strategy="default",
        image_token=processor.image_token,
        num_additional_image_tokens=1,
    )
