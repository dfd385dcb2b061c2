import pytest
import torch

from tests.train_bridge.conftest import jpeg
from train_bridge.tasks.answerer import Answerer


def test_it_goes_on_after_images(answerer: Answerer) -> None:
    said = answerer.answer("<image>\nA red <image>\n", [jpeg("red"), jpeg("gray", mode="L")], max_new_tokens=3)
    assert said == answerer.answer("<image>\nA red <image>\n", [jpeg("red"), jpeg("gray")], max_new_tokens=3)
    assert "<image>" not in said


def test_likelihoods_are_those_of_the_model_per_byte(answerer: Answerer) -> None:
    tokenizer = answerer.processor.tokenizer
    start, added = (tokenizer(text, add_special_tokens=False).input_ids for text in ("Is it", " so"))
    ids = torch.tensor([[tokenizer.bos_token_id, *start, *added]])
    with torch.no_grad():
        logs = answerer._model(input_ids=ids).logits[0].log_softmax(dim=-1)
    wanted = sum(float(logs[len(start) + i, token]) for i, token in enumerate(added))
    assert answerer.log_likelihoods("Is it", [" so"]) == [pytest.approx(wanted / 2, abs=1e-5)]


def test_a_begin_token_is_written_once(answerer: Answerer) -> None:
    plain, chat = (answerer.log_likelihoods(text, ["x"], has_begin=has) for text, has in (("a", False), ("<s>a", True)))
    assert plain == pytest.approx(chat)
