"""What the tasks are tested with."""

from tests.train_bridge.tasks.conftest import answerer, exported, questions_folder

__all__ = ["answerer", "exported", "questions_folder"]
