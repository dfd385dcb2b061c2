"""Lightning over shards, resuming exactly.

python examples/lightning_module.py SHARDS MODEL OUT --steps 4 [--devices 2] [--resume]
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning
import torch
from torch.utils.data import DataLoader
from transformers import LlavaForConditionalGeneration

from train_bridge import ShardDataset
from train_bridge.config import PackConfig


class Llava(lightning.LightningModule):
    """A model that sees packed batches, and keeps the state that they bring in Lightning's own checkpoints."""

    def __init__(self, folder: str, dataset: ShardDataset) -> None:
        super().__init__()
        self.model = LlavaForConditionalGeneration.from_pretrained(folder).train()
        self.dataset, self.data_state = dataset, ""

    def training_step(self, batch: dict[str, Any], _index: int) -> torch.Tensor:
        """Return the loss of one batch; Lightning has taken the next one already."""
        self.data_state = batch.pop("state")
        loss: torch.Tensor = self.model(**batch).loss
        print(f"step {self.global_step} loss {loss.item():.6f}")  # noqa: T201
        return loss

    def train_dataloader(self) -> DataLoader[dict[str, Any]]:
        """Read in this process; give ``num_workers`` and the context ``forkserver`` for more."""
        return DataLoader(self.dataset, batch_size=None)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return AdamW."""
        return torch.optim.AdamW(self.parameters(), lr=1e-4)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save where the data stand."""
        checkpoint["data_state"] = self.data_state

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on there."""
        self.dataset.resume(checkpoint["data_state"])


def main(arguments: Sequence[str] | None = None) -> None:
    """Train for some steps and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shards")
    parser.add_argument("model", help="folder of a LLaVA model with its processor")
    parser.add_argument("out")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--seq-length", type=int, default=4096)
    parser.add_argument("--devices", type=int, default=1)
    parser.add_argument("--resume", action="store_true")
    options = parser.parse_args(arguments)
    pack = PackConfig(seq_length=options.seq_length)
    dataset = ShardDataset(options.shards, processor=options.model, pack=pack, epochs=None, with_state=True)
    trainer = lightning.Trainer(
        max_steps=options.steps,
        accelerator="auto",
        devices=options.devices,
        strategy="auto" if options.devices == 1 else "ddp_find_unused_parameters_true",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=options.out,
    )
    checkpoint = str(Path(options.out) / "last.ckpt")
    trainer.fit(Llava(options.model, dataset), ckpt_path=checkpoint if options.resume else None, weights_only=False)
    trainer.save_checkpoint(checkpoint)


if __name__ == "__main__":
    main()
