from train_bridge.families.vision import towers
from train_bridge.model.towers import REFUSED, TOWERS


def test_every_tower_that_is_known_or_refused_by_name_has_a_row() -> None:
    assert {*TOWERS, *REFUSED} <= {row.config().model_type for row in towers()}
