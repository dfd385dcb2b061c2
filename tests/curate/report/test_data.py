import dataclasses
import pickle

import pytest

from curate.report.data import BlendEntry, LossCurve, TruthFigure


def test_parts_are_frozen_and_cross_process_borders() -> None:
    figure = TruthFigure(name="n", value=1.0, target=0.5, passed=True)
    assert pickle.loads(pickle.dumps(figure)) == figure  # noqa: S301 - our own bytes
    with pytest.raises(dataclasses.FrozenInstanceError):
        figure.value = 2.0  # type: ignore[misc]


def test_parts_are_built_by_name() -> None:
    with pytest.raises(TypeError):
        LossCurve("s", ())  # type: ignore[call-arg]
    assert {field.name for field in dataclasses.fields(BlendEntry)} >= {"wanted_share", "got_share", "supply"}
