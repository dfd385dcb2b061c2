"""Text-only questions and answers about the world of shapes: sums, counting, colours."""

import json
import random

from pipelines.demo.scenes import COLOURS, SHAPES

Message = dict[str, str]

_NUMBERS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
)
_CORNERS = {"square": 4, "triangle": 3, "diamond": 4, "star": 10, "cross": 12}
_SYSTEM = "You are a friendly teacher who answers questions about shapes and colours in one short sentence."


def write_conversation(rng: random.Random) -> list[Message]:
    """Return one or two turns of a conversation in chat form, sometimes behind a system message."""
    messages = [{"role": "system", "content": _SYSTEM}] if rng.random() < 1 / 4 else []
    for ask in rng.sample(_QUESTIONS, rng.choice((1, 1, 2))):
        question, answer = ask(rng)
        messages += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return messages


def instruction_line(messages: list[Message]) -> str:
    """Return the JSON line of one conversation."""
    return json.dumps({"messages": messages}, ensure_ascii=False)


def _sum(rng: random.Random) -> tuple[str, str]:
    first, second = rng.randint(1, 9), rng.randint(1, 9)
    one, other = rng.sample(SHAPES, 2)
    question = (
        f"There are {_count(first, one)} and {_count(second, other)} on the table. How many shapes are there in total?"
    )
    return (
        question,
        f"There are {_NUMBERS[first + second]} shapes on the table, because {first} + {second} is {first + second}.",
    )


def _difference(rng: random.Random) -> tuple[str, str]:
    first = rng.randint(2, 9)
    second = rng.randint(1, first - 1)
    shape = rng.choice(SHAPES)
    question = f"I had {_count(first, shape)} and gave {_NUMBERS[second]} of them away. How many do I have left now?"
    return question, f"You have {_count(first - second, shape)} left, because {first} - {second} is {first - second}."


def _colour(rng: random.Random) -> tuple[str, str]:
    colour, ground = rng.sample(COLOURS, 2)
    shape = rng.choice(SHAPES)
    question = (
        f"Somebody painted a {shape} in {colour} on a sheet of {ground} paper. What is the colour of the {shape}?"
    )
    return question, f"The {shape} is {colour}, and the paper behind it is {ground}."


def _corners(rng: random.Random) -> tuple[str, str]:
    shape = rng.choice(list(_CORNERS))
    question = f"If you draw the outline of a {shape} with straight lines, how many corners does it have?"
    return question, f"The outline of a {shape} has {_NUMBERS[_CORNERS[shape]]} corners."


def _order(rng: random.Random) -> tuple[str, str]:
    left, right = rng.sample(SHAPES, 2)
    question = f"In my picture a {left} stands to the left of a {right}. Which of the two shapes is on the right side?"
    return question, f"The {right} is on the right side, because the {left} stands to the left of it."


def _count(number: int, shape: str) -> str:
    plural = {"cross": "crosses"}.get(shape, f"{shape}s")
    return f"one {shape}" if number == 1 else f"{_NUMBERS[number]} {plural}"


_QUESTIONS = (_sum, _difference, _colour, _corners, _order)
