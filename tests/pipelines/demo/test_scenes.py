import random

from pipelines.demo.scenes import COLOURS, PATTERNS, SHAPES, Figure, Scene, ScenePool, least_alike, sample_scene


def test_scenes_use_the_whole_vocabulary_and_hold_together() -> None:
    rng = random.Random(0)
    scenes = [sample_scene(rng) for _ in range(600)]
    assert {scene.pattern for scene in scenes} == set(PATTERNS)
    assert {scene.ground for scene in scenes} == set(COLOURS)
    assert {figure.shape for scene in scenes for figure in scene.figures} == set(SHAPES)
    for scene in scenes:
        assert all(figure.colour != scene.ground for figure in scene.figures)
        assert len(set(scene.figures)) == len(scene.figures)
        assert (scene.relation is None) == (len(scene.figures) == 1)


def test_a_pool_repeats_no_scene() -> None:
    rng, pool = random.Random(1), ScenePool()
    scenes = [pool.sample(rng) for _ in range(500)]
    assert len({(scene.ground, frozenset(scene.figures)) for scene in scenes}) == 500


def test_a_pool_keeps_scenes_of_one_document_apart() -> None:
    rng, pool = random.Random(2), ScenePool()
    scenes: tuple[Scene, ...] = ()
    for _ in range(6):
        scenes = (*scenes, pool.sample(rng, apart_from=scenes))
    figures = [figure for scene in scenes for figure in scene.figures]
    assert len(set(figures)) == len(figures)


def test_the_least_alike_scene_shares_no_figure() -> None:
    scene = Scene("plain", "red", (Figure("blue", "star"),), None)
    stray = least_alike(random.Random(3), (scene,))
    assert not stray.words() & scene.words()


def test_without_scenes_to_avoid_any_will_do() -> None:
    assert least_alike(random.Random(4), ()) == sample_scene(random.Random(4))
