"""What the demo's pictures show: one or two coloured shapes before a patterned ground."""

import random
from dataclasses import dataclass

COLOURS = ("red", "green", "blue", "yellow", "purple", "orange", "white", "black")
SHAPES = ("circle", "square", "triangle", "star", "cross", "ring", "heart", "diamond")
PATTERNS = ("plain", "striped", "dotted", "speckled")
RELATIONS = ("left of", "above")
"""Of the first figure to the second."""

SHARE_OF_SINGLES = 0.3
MAX_TRIES = 60
"""Draws before a repeated scene is accepted: reached only once a world has used up most of the vocabulary."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One coloured shape."""

    colour: str
    shape: str


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that a picture shows and a sentence tells; sizes and jitter are the renderer's."""

    pattern: str
    ground: str
    """Colour of the ground; no figure has it."""
    figures: tuple[Figure, ...]
    """One or two, different from each other."""
    relation: str | None
    """Of the first figure to the second; None for one figure."""

    def words(self) -> frozenset[str]:
        """Return the words that tell this scene from another; the fewer two share, the less alike they are."""
        figures = [f"{figure.colour} {figure.shape}" for figure in self.figures]
        return frozenset([self.ground, self.pattern, *figures, *(figure.shape for figure in self.figures)])


def sample_scene(rng: random.Random) -> Scene:
    """Draw a scene; the same generator state gives the same scene."""
    ground = rng.choice(COLOURS)
    colours = [colour for colour in COLOURS if colour != ground]
    figures = [Figure(rng.choice(colours), rng.choice(SHAPES))]
    relation = None
    if rng.random() >= SHARE_OF_SINGLES:
        second = figures[0]
        while second in figures:
            second = Figure(rng.choice(colours), rng.choice(SHAPES))
        figures.append(second)
        relation = rng.choice(RELATIONS)
    return Scene(rng.choice(PATTERNS), ground, tuple(figures), relation)


class ScenePool:
    """Draws scenes that differ from each other by more than the pattern of their ground.

    Pictures of one scene are near-duplicates to a CLIP model, so a world repeats a scene only where it means to.
    """

    def __init__(self) -> None:
        self._used: set[tuple[str, frozenset[Figure]]] = set()

    def sample(self, rng: random.Random, *, apart_from: tuple[Scene, ...] = ()) -> Scene:
        """Return a new scene that shares no figure with those of ``apart_from``.

        Args:
            rng: Advanced by a varying number of draws.
            apart_from: The scenes of the same document, whose sentences must not fit this one too.
        """
        taken = {figure for scene in apart_from for figure in scene.figures}
        scene = sample_scene(rng)
        for _ in range(MAX_TRIES):
            if not taken & set(scene.figures) and self._key(scene) not in self._used:
                break
            scene = sample_scene(rng)
        self._used.add(self._key(scene))
        return scene

    @staticmethod
    def _key(scene: Scene) -> tuple[str, frozenset[Figure]]:
        return scene.ground, frozenset(scene.figures)


def least_alike(rng: random.Random, scenes: tuple[Scene, ...], *, num_tries: int = 24) -> Scene:
    """Return a scene whose words overlap least with any of ``scenes``: the picture that matches no sentence."""
    candidates = [sample_scene(rng) for _ in range(num_tries)]
    return min(candidates, key=lambda scene: max((len(scene.words() & other.words()) for other in scenes), default=0))
