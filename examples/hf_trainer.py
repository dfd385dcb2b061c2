"""Hugging Face's Trainer over shards, resuming exactly.

python examples/hf_trainer.py SHARDS MODEL OUT --steps 4 [--resume]
torchrun --nproc-per-node 2 examples/hf_trainer.py SHARDS MODEL OUT --steps 4
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader
from transformers import LlavaForConditionalGeneration, Trainer, TrainerCallback, TrainingArguments

from train_bridge import ShardDataset
from train_bridge.config import PackConfig

DATA_STATE = "data_state.json"


class ShardTrainer(Trainer):
    """Takes batches as they are, for they are packed and each rank reads its own, and notes the state they bring."""

    data_state: str | None = None

    def get_train_dataloader(self) -> DataLoader[dict[str, Any]]:
        """Read in this process; give ``num_workers`` and the context ``forkserver`` for more."""
        return DataLoader(self.train_dataset, batch_size=None)

    def training_step(self, model: Any, inputs: dict[str, Any], *arguments: Any) -> torch.Tensor:
        """Learn from a batch; the Trainer has taken the next ones already."""
        self.data_state = inputs.pop("state")
        return super().training_step(model, inputs, *arguments)


class SaveDataState(TrainerCallback):
    """Keeps the state of the data beside each checkpoint: it is the same on all ranks."""

    def __init__(self, trainer: ShardTrainer) -> None:
        self.trainer = trainer

    def on_save(self, args: Any, state: Any, _control: Any, **_kwargs: Any) -> None:
        """Save it."""
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        (folder / DATA_STATE).write_text(str(self.trainer.data_state), encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    """Train for some steps, from the newest checkpoint if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shards")
    parser.add_argument("model", help="folder of a LLaVA model with its processor")
    parser.add_argument("out")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--save-every", type=int, default=50)
    parser.add_argument("--seq-length", type=int, default=4096)
    parser.add_argument("--resume", action="store_true")
    options = parser.parse_args(arguments)
    dataset = ShardDataset(
        options.shards,
        processor=options.model,
        pack=PackConfig(seq_length=options.seq_length),
        epochs=None,
        with_state=True,
    )
    settings = TrainingArguments(
        output_dir=options.out,
        max_steps=options.steps,
        save_steps=options.save_every,
        logging_steps=1,
        learning_rate=1e-4,
        lr_scheduler_type="constant",
        remove_unused_columns=False,
        ignore_data_skip=True,  # the data's own state says where to go on; nothing is read again to be passed over
        report_to=[],
        use_cpu=not torch.cuda.is_available(),
    )
    found = sorted(Path(options.out).glob("checkpoint-*"), key=lambda path: int(path.name.partition("-")[2]))
    newest = found[-1] if options.resume else None
    # The Trainer loads weights by the names in the file and passes over those it does not know: for LLaVA, all of them.
    model = LlavaForConditionalGeneration.from_pretrained(newest or options.model)
    trainer = ShardTrainer(model=model, args=settings, train_dataset=dataset)
    trainer.add_callback(SaveDataState(trainer))
    if newest is not None:
        dataset.resume((newest / DATA_STATE).read_text(encoding="utf-8"))
    trainer.train(resume_from_checkpoint=newest)
    for entry in trainer.state.log_history:
        if "loss" in entry:
            print(f"step {entry['step']} loss {entry['loss']}")  # noqa: T201


if __name__ == "__main__":
    main()
