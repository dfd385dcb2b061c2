"""Asks a model all questions of a task, for every number of shots."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypedDict

from train_bridge.tasks.answerer import Answerer
from train_bridge.tasks.cider import cider_d
from train_bridge.tasks.examples import EvalTask, Example
from train_bridge.tasks.prompts import Form, answer_space, build_prompt, cut_answer, prompt_images
from train_bridge.tasks.shots import choose_shots
from train_bridge.tasks.vqa_accuracy import vqa_accuracy

METRICS = {"caption": "CIDEr-D", "vqa": "VQA accuracy", "choice": "accuracy"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Questions:
    """How examples are asked."""

    task: EvalTask
    form: Form = "plain"
    seed: int = 0
    """Of the shots."""
    max_new_tokens: int = 32
    limit: int | None = None
    """Ask only the first so many; all may be shots."""


class ShotsResult(TypedDict):
    """Of one number of shots."""

    shots: int
    metric: str
    score: float
    examples: int


class Answered(TypedDict):
    """A question, what the model said, and its score."""

    doc_id: str
    shots: int
    said: str
    answers: tuple[str, ...]
    score: float


def ask_all(
    answerer: Answerer, examples: Sequence[Example], questions: Questions, *, num_shots: int
) -> tuple[ShotsResult, list[Answered]]:
    """Return the result of one number of shots, and every answer with its score."""
    asked = list(examples[: questions.limit])
    said = answer_all(answerer, asked, examples, questions, num_shots=num_shots)
    scores = score_all(asked, said, task=questions.task)
    records: list[Answered] = [
        {"doc_id": example.doc_id, "shots": num_shots, "said": text, "answers": example.answers, "score": score}
        for example, text, score in zip(asked, said, scores, strict=True)
    ]
    result: ShotsResult = {
        "shots": num_shots,
        "metric": METRICS[questions.task],
        "score": sum(scores) / len(scores),
        "examples": len(asked),
    }
    return result, records


def answer_all(
    answerer: Answerer, asked: Sequence[Example], support: Sequence[Example], questions: Questions, *, num_shots: int
) -> list[str]:
    """Return what the model says to each question.

    Args:
        answerer: The model.
        asked: Questions.
        support: Examples that shots are drawn from; those asked may be among them.
        questions: How they are asked.
        num_shots: Examples before each.
    """
    return list(_answers(answerer, asked, support, questions, num_shots=num_shots))


def score_all(asked: Sequence[Example], said: Sequence[str], *, task: EvalTask) -> list[float]:
    """Return the score of each answer; that of a caption depends on all of them."""
    if task == "caption":
        return cider_d(said, [example.answers for example in asked])
    if task == "choice":
        return [float(text == example.choices[example.label]) for example, text in zip(asked, said, strict=True)]
    return [vqa_accuracy(text, example.answers) for example, text in zip(asked, said, strict=True)]


def _answers(
    answerer: Answerer, asked: Sequence[Example], support: Sequence[Example], questions: Questions, *, num_shots: int
) -> Iterator[str]:
    is_chat = questions.form == "chat"
    for example in asked:
        shots = choose_shots(example, support=support, num_shots=num_shots, seed=questions.seed)
        prompt = build_prompt(
            example,
            shots=shots,
            task=questions.task,
            form=questions.form,
            tokenizer=answerer.processor.tokenizer,
            image_mark=answerer.processor.image_token,
        )
        if questions.task == "choice":
            space = "" if is_chat else answer_space("choice")
            texts = [space + choice for choice in example.choices]
            likelihoods = answerer.log_likelihoods(prompt, texts, has_begin=is_chat)
            yield example.choices[max(range(len(texts)), key=likelihoods.__getitem__)]
            continue
        images = prompt_images(example, shots=shots)
        text = answerer.answer(prompt, images, max_new_tokens=questions.max_new_tokens, has_begin=is_chat)
        yield cut_answer(text)
