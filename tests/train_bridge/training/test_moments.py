import importlib
from typing import Any

import pytest
import torch

from train_bridge.training.moments import fill_state, plain_state


def test_what_is_no_8_bit_number_stays_as_it_is() -> None:
    moment = torch.ones(3)
    state = {"state": {"weight": {"step": torch.tensor(2.0), "exp_avg": moment}}, "param_groups": [{"lr": 0.1}]}
    plain = plain_state(state)
    assert plain["state"]["weight"]["exp_avg"] is moment
    read = {"state": {"weight": {"step": torch.tensor(5.0), "exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 0.2}]}
    assert fill_state(state, read) == read


@pytest.mark.parametrize("is_signed", [True, False])
def test_8_bit_numbers_come_back_as_they_were_written(*, is_signed: bool) -> None:
    pytest.importorskip("torchao")
    packed_class: Any = importlib.import_module("torchao.optim.subclass_8bit").OptimState8bit
    torch.manual_seed(0)
    values = torch.randn(4096, 256) * torch.rand(4096, 1)
    values[3] = 0.0
    written, read = (packed_class.zeros(values.shape, is_signed, 256) for _ in range(2))
    written.copy_(values if is_signed else values.square())
    plain = plain_state([{"exp_avg": written}])
    assert type(plain[0]["exp_avg"]) is torch.Tensor
    (filled,) = fill_state([{"exp_avg": read}], plain)
    assert filled["exp_avg"] is read
    assert torch.equal(read.codes, written.codes)
    torch.testing.assert_close(read.scale, written.scale)
