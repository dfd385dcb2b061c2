import json

from train_bridge.tokens.faults import SampleFault


def test_a_fault_is_written_as_its_reason() -> None:
    assert json.dumps({"fault": SampleFault.BROKEN_IMAGE}) == '{"fault": "broken_image"}'
    assert SampleFault("changed") is SampleFault.CHANGED
