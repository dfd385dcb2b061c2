"""The global batches of a run are the same for any number of ranks and loader processes."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from transformers import LlavaProcessor

from tests.train_bridge.conftest import TINY, TOKENS_PER_IMAGE, make_sample, write_set
from train_bridge.data.dataset import DatasetSpec
from train_bridge.data.lengths import count_lengths
from train_bridge.model.image_modes import image_form
from train_bridge.model.tiny_model import build_tiny_processor, shard_texts
from train_bridge.packing.plan import PlanSettings
from train_bridge.packing.split import Capacity
from train_bridge.tokens.encoder import TextEncoder, TextForm

ROUND_PACKS = 4
LAYOUTS = ((1, 0), (1, 2), (2, 1), (2, 2), (4, 1))
"""Ranks and loader processes of each."""


def make_spec(folder: Path) -> DatasetSpec:
    shards = write_set(folder / "set", [make_sample(number) for number in range(96)])
    processor: LlavaProcessor = build_tiny_processor(TINY, texts=shard_texts([shards], num_samples=100))
    processor.save_pretrained(folder / "processor")
    encoder = TextEncoder(processor.tokenizer, form=TextForm())
    return DatasetSpec(
        folders=(shards,),
        length_paths=(count_lengths(shards, encoder=encoder, cache_dir=str(folder)),),
        processor_folder=str(folder / "processor"),
        image_form=image_form(processor.image_processor),
        image_mark=processor.image_token,
        text_form=TextForm(),
        plan=PlanSettings(
            capacity=Capacity(seq_length=48, tokens_per_image=TOKENS_PER_IMAGE, has_bos=True),
            order="shuffled",
            window=16,
            max_carry=8,
        ),
        weights={"pair": 0.4, "interleaved": 0.4, "text": 0.2},
        num_epochs=2,
        round_packs=ROUND_PACKS,
    )


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ranks_and_workers_change_no_global_batch(tmp_path: Path) -> None:
    spec_path, target = tmp_path / "spec.pickle", tmp_path / "steps.json"
    spec_path.write_bytes(pickle.dumps(make_spec(tmp_path)))
    script = str(Path(__file__).with_name("order_ranks.py"))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=4", script]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    arguments = [str(spec_path), json.dumps(LAYOUTS), str(target)]
    subprocess.run([*command, *arguments], check=True, env=environment, timeout=550)
    alone, *others = json.loads(target.read_text(encoding="utf-8"))
    assert len(others) == len(LAYOUTS) - 1
    whole = [step for step in alone if len(step) == ROUND_PACKS]
    assert len(whole) > 5
    assert [number for step in whole for number, *_ in step] == list(range(ROUND_PACKS * len(whole)))
    for steps in others:
        assert steps[: len(whole)] == whole
