import pytest

from train_bridge.tasks.answerer import Answerer
from train_bridge.tasks.examples import EvalTask, read_examples
from train_bridge.tasks.prompts import Form
from train_bridge.tasks.run import Questions, ask_all

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("task", ["caption", "vqa", "choice"])
@pytest.mark.parametrize("form", ["plain", "chat"])
def test_every_task_is_asked_with_shots(answerer: Answerer, questions_folder: str, task: EvalTask, form: Form) -> None:
    examples, _ = read_examples([questions_folder], task=task)
    questions = Questions(task=task, form=form, limit=3, max_new_tokens=2)
    result, records = ask_all(answerer, examples, questions, num_shots=2)
    assert (result["shots"], result["examples"], len(records)) == (2, 3, 3)
    assert result["score"] == sum(record["score"] for record in records) / 3
    assert (result, records) == ask_all(answerer, examples, questions, num_shots=2)


def test_a_choice_is_the_likeliest(answerer: Answerer, questions_folder: str) -> None:
    examples, _ = read_examples([questions_folder], task="choice")
    _, records = ask_all(answerer, examples, Questions(task="choice"), num_shots=0)
    for example, record in zip(examples, records, strict=True):
        texts = [f" {choice}" for choice in example.choices]
        likelihoods = answerer.log_likelihoods(f"Question: {example.question} Short answer:", texts)
        assert likelihoods[example.choices.index(record["said"])] == max(likelihoods)
        assert record["score"] == float(record["said"] == example.choices[example.label])
