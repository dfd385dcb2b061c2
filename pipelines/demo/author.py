"""Writes articles and captions: pictures among sentences, some of which describe them."""

import random

from curate.contract.ids import seed_for
from pipelines.demo.documents import ImageRole, Variant, WorldImage, WorldSource
from pipelines.demo.foreign import aside_in, describe_in
from pipelines.demo.picture_store import Picture, PictureStore
from pipelines.demo.scenes import Scene, ScenePool, least_alike
from pipelines.demo.sentences import alt_text, aside, describe
from pipelines.demo.site import Site

Block = str | WorldImage

ENGLISH = "en"
SHARE_EXACT = 0.06
"""Of pictures that repeat an earlier one byte for byte."""
SHARE_NEAR = 0.05
SHARE_JOINED = 0.3
"""Of describing sentences that share their paragraph with another sentence."""
SHARE_CAPTIONED_AFTER = 0.5
SHARE_ASIDES = 0.6
NUM_IMAGES = (1, 2, 2, 3, 3, 3, 4, 4, 5, 6)
"""Of an article, drawn evenly."""


class Author:
    """Knows which scenes and pictures exist, so that repetition is always on purpose."""

    def __init__(self, site: Site, *, seed: int) -> None:
        self._site = site
        self._seed = seed
        self._pool = ScenePool()
        self._store = PictureStore(site.root)

    def rng(self, source: WorldSource, number: int | str) -> random.Random:
        """Return the generator of one document, which no other document advances."""
        return random.Random(seed_for(self._seed, f"{source}/{number}"))

    def write_article(self, rng: random.Random, *, lang: str, joined: bool, off_topic: bool) -> list[Block]:
        """Return paragraphs and images in order.

        Args:
            rng: The document's generator.
            lang: ENGLISH or a key of foreign.LANGUAGES.
            joined: Let some paragraphs hold two sentences, the describing one first.
            off_topic: Add a picture that no sentence describes.
        """
        blocks: list[Block] = [_aside(lang, rng)]
        scenes: tuple[Scene, ...] = ()
        for _ in range(rng.choice(NUM_IMAGES)):
            picture = self._pick_picture(rng, scenes, lang=lang)
            scenes = (*scenes, picture.scene)
            sentence = _describe(lang, picture.scene, rng)
            image = self._image(picture, rng, sentence=sentence)
            paragraph = f"{sentence} {_aside(lang, rng)}" if joined and rng.random() < SHARE_JOINED else sentence
            blocks += [image, paragraph] if rng.random() < SHARE_CAPTIONED_AFTER else [paragraph, image]
            if rng.random() < SHARE_ASIDES:
                blocks.append(_aside(lang, rng))
        if off_topic:
            blocks.insert(rng.randrange(1, len(blocks) + 1), self.draw_stray(rng, scenes))
        return blocks

    def write_caption(self, rng: random.Random, *, lang: str, off_topic: bool) -> tuple[str, WorldImage]:
        """Return a caption and its picture; an off-topic picture shows something else."""
        if off_topic:
            scene = self._pool.sample(rng)
            return describe(scene, rng), self.draw_stray(rng, (scene,))
        picture = self._pick_picture(rng, (), lang=lang)
        sentence = _describe(lang, picture.scene, rng)
        return sentence, self._image(picture, rng, sentence=sentence)

    def draw_stray(self, rng: random.Random, scenes: tuple[Scene, ...]) -> WorldImage:
        """Return a picture as unlike ``scenes`` as a few draws find."""
        picture = self._store.add_scene(least_alike(rng, scenes), rng, copyable=False)
        url = self._site.url(picture.path)
        return WorldImage(url=url, role=ImageRole.OFF_TOPIC, group=picture.group, expected=("image.clip",))

    def draw_series_picture(self, rng: random.Random) -> WorldImage:
        """Return the picture that heads too many documents."""
        picture = self._store.add_scene(self._pool.sample(rng), rng, copyable=False)
        url = self._site.url(picture.path)
        return WorldImage(url=url, role=ImageRole.FREQUENT, alt="Our series", expected=("url.frequency",))

    def _pick_picture(self, rng: random.Random, scenes: tuple[Scene, ...], *, lang: str) -> Picture:
        draw = rng.random()
        # Copies stay within English, so that every original is in a document that can be kept.
        if lang == ENGLISH and draw < SHARE_EXACT + SHARE_NEAR:
            original = self._store.pick_original(rng, apart_from=scenes)
            if original is not None and draw < SHARE_EXACT:
                return self._store.add_exact_copy(original)
            if original is not None:
                return self._store.add_near_copy(original, rng)
        scene = self._pool.sample(rng, apart_from=scenes)
        return self._store.add_scene(scene, rng, copyable=lang == ENGLISH)

    def _image(self, picture: Picture, rng: random.Random, *, sentence: str) -> WorldImage:
        expected = {Variant.ORIGINAL: (), Variant.EXACT: ("dedup.exact",), Variant.NEAR: ("dedup.cosine",)}
        return WorldImage(
            url=self._site.url(picture.path),
            role=ImageRole.SCENE,
            alt=alt_text(picture.scene, rng),
            sentence=sentence,
            group=picture.group,
            variant=picture.variant,
            expected=expected[picture.variant],
        )


def _describe(lang: str, scene: Scene, rng: random.Random) -> str:
    return describe(scene, rng) if lang == ENGLISH else describe_in(lang, scene)


def _aside(lang: str, rng: random.Random) -> str:
    return aside(rng) if lang == ENGLISH else aside_in(lang, rng)
