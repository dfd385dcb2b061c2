"""English sentences of the demo: some describe a scene, the others say something else."""

import random

from pipelines.demo.scenes import Figure, Scene

# Ten words at least each, so that a caption alone passes the usual floor of words; about twenty CLIP tokens.
_ONE_FIGURE = (
    "What this picture shows is {a} that was drawn on {ground} background.",
    "Look at {a}, which has been painted on {ground} backdrop here.",
    "Here you can see {a} that stands alone on {ground} wall.",
    "In this drawing there is {a}, and behind it lies {ground} ground.",
    "The artist placed {a} on {ground} sheet and left it there.",
)
_TWO_FIGURES = (
    "What this picture shows us is {a} {relation} {b} on {ground} background.",
    "Here you can see {a} placed {relation} {b} against {ground} wall.",
    "In this drawing there is {a} {relation} {b}, and behind them lies {ground} ground.",
    "Look at {a}, which was painted {relation} {b} on {ground} backdrop.",
    "The artist placed {a} {relation} {b} on {ground} sheet of paper.",
)
_RELATIONS = {"left of": "to the left of", "above": "above"}

_ASIDES = (
    "The workshop opens at {hour} on {day} and closes shortly before the sun goes down.",
    "Visitors from {town} usually arrive by train and stay with us until late on {day}.",
    "We have kept notes about these lessons since {month}, and most of them are still useful today.",
    "Please bring your own lunch, because the little kitchen near {town} is closed on {day}.",
    "Our teacher moved here from {town} in {month} and has been giving these classes ever since.",
    "It took us about {number} hours to finish this exercise, and nobody wanted to leave.",
    "If you have any questions, write to the office in {town} before the end of {month}.",
    "The weather in {month} was so cold that only {number} people came to the evening class.",
    "There will be another meeting on {day}, when we talk about what everybody has learned.",
    "Last {month} the group walked from the station to {town}, which took almost {number} hours.",
    "Many students tell us that they learn more in {number} days here than in a year at school.",
    "The library keeps a copy of every report, and you may read them there on {day}.",
    "After a short break we continued at {hour} and worked on until everyone was tired.",
    "Somebody asked whether the course would be offered again in {month}, and the answer was yes.",
    "You do not need to know anything about art before you come to the class on {day}.",
    "It is a good idea to sleep well before the visit, since the day begins at {hour}.",
)
_TITLES = (
    "What we learned in {town} last {month}",
    "A short report about the class of {month}",
    "Notes from the {day} meeting in {town}",
    "How to look at simple things for {number} hours",
    "The things that people in {town} like to talk about",
    "Some thoughts after {number} days at the workshop",
)
_SLOTS = {
    "hour": ("eight", "nine", "half past nine", "ten", "eleven", "two", "three"),
    "day": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "month": ("January", "March", "April", "May", "July", "August", "October", "December"),
    "town": ("Bristol", "Leeds", "Oxford", "Norwich", "Boston", "Denver", "Dublin", "Perth"),
    "number": ("three", "four", "five", "six", "seven", "twelve", "twenty"),
}
_PLAIN_ALTS = ("", "image", "figure", "picture from the lesson")


def describe(scene: Scene, rng: random.Random) -> str:
    """Return one sentence of at least ten words that fits ``scene``."""
    ground = _article(f"{scene.pattern} {scene.ground}")
    first = _name(scene.figures[0])
    if scene.relation is None:
        return rng.choice(_ONE_FIGURE).format(a=first, ground=ground)
    relation, second = _RELATIONS[scene.relation], _name(scene.figures[1])
    return rng.choice(_TWO_FIGURES).format(a=first, b=second, relation=relation, ground=ground)


def alt_text(scene: Scene, rng: random.Random) -> str:
    """Return what an author might put in ``alt``: a short description, or something that says nothing."""
    if rng.random() < 1 / 3:
        return rng.choice(_PLAIN_ALTS)
    figures = " and ".join(_name(figure) for figure in scene.figures)
    return f"{figures} on {scene.ground}"


def aside(rng: random.Random) -> str:
    """Return a sentence that describes no picture."""
    return _fill(rng.choice(_ASIDES), rng)


def title(rng: random.Random) -> str:
    """Return a heading."""
    return _fill(rng.choice(_TITLES), rng)


def _fill(template: str, rng: random.Random) -> str:
    # Every slot is drawn each time, so the generator advances alike whichever template was chosen.
    return template.format(**{slot: rng.choice(words) for slot, words in _SLOTS.items()})


def _name(figure: Figure) -> str:
    return _article(f"{figure.colour} {figure.shape}")


def _article(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"
