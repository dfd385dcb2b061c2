from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest

from pipelines.bench.scale.corpus import NUM_IMAGES, NUM_TEXTS, choose_origins, make_partition
from pipelines.bench.scale.measure import Bench, ScaleOptions
from pipelines.decide.facts_table import load_facts
from pipelines.run import tables
from tests.pipelines.in_process import InProcess


@pytest.mark.parametrize("first", [0, 5000])
def test_a_tenth_is_copied_and_a_twentieth_nearly_so_of_earlier_originals(first: int) -> None:
    images = np.arange(20_000) + first
    origins, is_near = choose_origins(images, np.random.default_rng(0))
    assert (origins[origins != images] % 2 == 0).all()
    assert (origins == images)[images % 2 == 0].all()
    assert (origins <= images).all()
    assert (origins != images).mean() == pytest.approx(0.15, abs=0.01)
    assert is_near.mean() == pytest.approx(0.05, abs=0.01)
    assert not is_near[origins == images].any()


@pytest.mark.parametrize("with_cosine", [True, False])
def test_a_partition_has_every_table_and_facts(tmp_path: Path, *, with_cosine: bool) -> None:
    bench = Bench(workers=InProcess(), root=str(tmp_path), options=ScaleOptions(with_cosine=with_cosine), processes=())
    context = bench.context(min_px=100)
    report = make_partition(context, "news-00000-00002", 2, 40)
    assert report.counters == {"documents": 40, "images": 40 * NUM_IMAGES}
    facts = load_facts(context, "news-00000-00002")
    assert facts.documents["num_texts"].to_pylist() == [NUM_TEXTS] * 40
    assert set(pc.unique(facts.images["status"]).to_pylist()) == {"ok", "http_404"}
    stored = context.folder.read(tables.IMAGES, "news-00000-00002")
    assert stored["image_id"].drop_null().length() == facts.images["image_id"].drop_null().length()
    assert (context.folder.stamp(tables.CLIP_MEASURES, "news-00000-00002") is not None) == with_cosine


def test_the_same_number_gives_the_same_partition(tmp_path: Path) -> None:
    made = []
    for place in ("a", "b"):
        bench = Bench(workers=InProcess(), root=str(tmp_path / place), options=ScaleOptions(), processes=())
        made.append(make_partition(bench.context(min_px=100), "news-00000-00000", 0, 20).made)
    assert made[0] == made[1]
