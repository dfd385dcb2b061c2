import pytest
import torch
from transformers import AutoModelForCausalLM

from curate.contract.errors import CurateError
from tests.train_bridge.checkpoints.folders import new_text
from train_bridge.model.whole import load_whole


def test_all_tensors_and_no_others_make_a_model() -> None:
    text = new_text()
    tensors = dict(text.state_dict())
    found = load_whole(AutoModelForCausalLM, text.config, tensors, place="here")
    assert all(torch.equal(value, tensors[name]) for name, value in found.state_dict().items())
    strange = {name: value for name, value in tensors.items() if name != "model.norm.weight"}
    strange |= {"extra": torch.zeros(1), "lm_head.weight": torch.zeros(2, 2)}
    fault = r"here: 1 tensors are missing, among them model\.norm\.weight; 1 tensors are not known, among them extra; 1"
    with pytest.raises(CurateError, match=fault):
        load_whole(AutoModelForCausalLM, text.config, strange, place="here")
