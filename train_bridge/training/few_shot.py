"""Few-shot tasks while a stage trains: every rank asks its share of the questions of the weights as they are."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from transformers import LlavaForConditionalGeneration, LlavaProcessor

from train_bridge.config import TaskConfig
from train_bridge.model.attention import set_attention
from train_bridge.model.mask import Attention
from train_bridge.tasks.answerer import Answerer
from train_bridge.tasks.examples import Example, read_examples
from train_bridge.tasks.run import METRICS, Questions, answer_all, score_all
from train_bridge.training.ranks import Ranks, gather, whole_weights


@dataclass(frozen=True, kw_only=True, slots=True)
class FewShotTask:
    """A task with its examples."""

    name: str
    config: TaskConfig
    examples: tuple[Example, ...]
    """The first ``config.limit`` are asked, all may be shots."""

    @property
    def questions(self) -> Questions:
        """How they are asked."""
        config = self.config
        return Questions(
            task=config.task,
            form=config.form,
            seed=config.seed,
            max_new_tokens=config.max_new_tokens,
            limit=config.limit,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskScore:
    """Of one task and number of shots."""

    task: str
    shots: int
    metric: str
    score: float
    examples: int


def read_tasks(tasks: Mapping[str, TaskConfig]) -> tuple[FewShotTask, ...]:
    """Read the examples of tasks.

    Raises:
        ShardError: A folder is no shard set, or holds no example.
    """
    found = []
    for name, config in tasks.items():
        examples, _num_passed = read_examples(
            config.shards, task=config.task, seed=config.seed, max_examples=config.limit + config.num_support
        )
        found.append(FewShotTask(name=name, config=config, examples=tuple(examples)))
    return tuple(found)


def ask_tasks(
    tasks: Sequence[FewShotTask],
    model: LlavaForConditionalGeneration,
    processor: LlavaProcessor,
    *,
    ranks: Ranks,
    context: Callable[[], AbstractContextManager[object]],
    attention: Attention,
) -> list[TaskScore]:
    """Return the scores of all tasks. All ranks call this, and get the same.

    Args:
        tasks: The same on all ranks.
        model: On its device, sharded or not. Left as it was found.
        processor: Of the model.
        ranks: The callers.
        context: Autocast.
        attention: What the language model's attention takes while it learns.
    """
    was_training = model.training
    set_attention(model, "mask")  # that of packs wants to know which samples share one
    scores = []
    try:
        answerer = Answerer(model, processor, device=ranks.device)  # first: to move a model shards its weights again
        with whole_weights(model), context(), torch.compiler.set_stance("force_eager"):
            for task in tasks:
                scores += [_ask(answerer, task, num_shots=shots, ranks=ranks) for shots in task.config.shots]
    finally:
        set_attention(model, attention)
        model.train(was_training)
    return scores


def _ask(answerer: Answerer, task: FewShotTask, *, num_shots: int, ranks: Ranks) -> TaskScore:
    asked = task.examples[: task.config.limit]
    own = asked[ranks.rank :: ranks.world_size]
    said_by_rank = gather(answer_all(answerer, own, task.examples, task.questions, num_shots=num_shots))
    said = [said_by_rank[place % ranks.world_size][place // ranks.world_size] for place in range(len(asked))]
    scores = score_all(asked, said, task=task.config.task)
    return TaskScore(
        task=task.name,
        shots=num_shots,
        metric=METRICS[task.config.task],
        score=sum(scores) / len(scores),
        examples=len(asked),
    )
