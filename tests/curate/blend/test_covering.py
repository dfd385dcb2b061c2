import pytest

from curate.blend.covering import assign_groups
from curate.contract.errors import BlendError

GROUPS = (("coyo", "pair"), ("laion", "pair"), ("mmc4", "interleaved"), ("pair", "text"))


def test_a_named_source_is_kept_out_of_its_kind_and_a_kind_always_means_the_kind() -> None:
    covered = assign_groups(GROUPS, ["pair", "coyo"], where="w")
    assert covered == {"coyo": {("coyo", "pair")}, "pair": {("laion", "pair")}}
    assert list(covered) == ["coyo", "pair"]


@pytest.mark.parametrize(
    ("names", "what"),
    [
        (["nowhere"], "data.weights.nowhere: neither a source nor a kind .*remove the weight"),
        (["moc4"], "did you mean mmc4"),
        (["coyo", "laion", "pair"], "data.weights.pair: kind without samples left to it .sources coyo, laion, mmc4, "),
    ],
)
def test_a_weight_without_samples_is_an_error_with_a_hint(names: list[str], what: str) -> None:
    with pytest.raises(BlendError, match=what):
        assign_groups(GROUPS, names, where="data.weights")
