"""Shots and a question as one prompt. The VILA paper states none for its few-shot figures; these are ours.

``plain`` is how pre-training writes an interleaved document: each image directly before its text, examples joined by a
space for captions and by a line break for questions, which are asked as OpenFlamingo does (arXiv 2308.01390)::

    <image>
    a caption <image>
    another caption <image>

    <image>
    Question: what is it? Short answer: a cat
    <image>
    Question: and this? Short answer:

``chat`` is for models after supervised fine-tuning: every shot is a turn of the user and one of the assistant, through
the model's own template.
"""

from collections.abc import Sequence
from typing import Literal

from curate.contract.reasons import Role
from train_bridge.tasks.examples import EvalTask, Example
from train_bridge.tokens.chat import ChatTemplate, ChatTokenizer
from train_bridge.tokens.layout import ImagePiece, TextPiece
from train_bridge.tokens.turns import Turn

Form = Literal["plain", "chat"]
CAPTION_REQUEST = "Describe the image in one sentence."
"""The user's text of a caption in chat form."""


def build_prompt(
    example: Example, *, shots: Sequence[Example], task: EvalTask, form: Form, tokenizer: ChatTokenizer, image_mark: str
) -> str:
    """Return the prompt; the model goes on with the answer.

    Args:
        example: The question.
        shots: Examples with their answers, in order.
        task: What is asked for.
        form: How it is written.
        tokenizer: Has the chat template.
        image_mark: The placeholder of an image.
    """
    if form == "chat":
        turns: list[Turn] = []
        for shot in shots:
            turns += [_asked(shot, task=task), Turn(Role.ASSISTANT, (TextPiece(shot.answers[0]),))]
        return ChatTemplate(tokenizer, image_text=f"{image_mark}\n").prompt([*turns, _asked(example, task=task)])
    separator = " " if task == "caption" else "\n"
    parts = [_plain(shot, task=task, image_mark=image_mark) + answer_space(task) + shot.answers[0] for shot in shots]
    return separator.join([*parts, _plain(example, task=task, image_mark=image_mark)])


def answer_space(task: EvalTask) -> str:
    """Return what stands between a plain prompt and its answer."""
    return "" if task == "caption" else " "


def prompt_images(example: Example, *, shots: Sequence[Example]) -> list[bytes]:
    """Return the images of a prompt in the order of their placeholders."""
    return [image for each in (*shots, example) for image in each.images]


def cut_answer(text: str) -> str:
    """Return what was said until the line ends: a base model goes on with the next example."""
    lines = text.strip().splitlines()
    return lines[0].strip() if lines else ""


def _plain(example: Example, *, task: EvalTask, image_mark: str) -> str:
    images = f"{image_mark}\n" * len(example.images)
    return images if task == "caption" else f"{images}Question: {example.question} Short answer:"


def _asked(example: Example, *, task: EvalTask) -> Turn:
    images = [ImagePiece(number) for number in range(len(example.images))]
    return Turn(Role.USER, (*images, TextPiece(CAPTION_REQUEST if task == "caption" else example.question)))
