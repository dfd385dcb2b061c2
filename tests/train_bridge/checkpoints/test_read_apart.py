"""Exported folders in environments of their own: transformers 4.57, and the newest 5, give the logits of this one."""

import json
import subprocess
from pathlib import Path

import pytest
import torch

from pipelines.bench.peer_env import peer_python
from tests.train_bridge.checkpoints.reading_apart import compute
from tests.train_bridge.conftest import stage_config
from train_bridge.model.llava import build_model
from train_bridge.model.processor import build_processor
from train_bridge.training.export import export_model
from train_bridge.training.ranks import joined_ranks

ROOT = Path(__file__).parents[3]
SCRIPT = Path(__file__).with_name("reading_apart.py")
ENVIRONMENTS = {
    "transformers-4.57": ("transformers==4.57.6", "huggingface-hub==0.36.0", "tokenizers==0.22.2"),
    "transformers-5-newest": ("transformers==5.24.0",),
}
PROJECTORS = ("linear", "mlp", "mlp_downsample")


@pytest.fixture(scope="module")
def exported(shard_folder: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Export one model of each class, and say in ``expected.pt`` what this trainer computes of them."""
    folders = {}
    for projector in PROJECTORS:
        folder = tmp_path_factory.mktemp(projector)
        config = stage_config(shard_folder, folder / "out", model={"projector": projector})
        processor = build_processor(config)
        model = build_model(config, processor=processor).eval()
        with joined_ranks() as ranks:
            export_model(str(folder / "final"), model=model, processor=processor, ranks=ranks)
        torch.save(compute(model, processor), folder / "expected.pt")
        folders[projector] = folder
    return folders


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_other_versions_compute_the_same_of_text_and_pictures(exported: dict[str, Path], name: str) -> None:
    python = peer_python(name, *ENVIRONMENTS[name], folder=ROOT / ".bench", shares_ours=True)
    if python is None:
        pytest.skip("no package index to install it from")
    command = [str(python), str(SCRIPT), *(str(folder) for folder in exported.values())]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split()[-1] in {part.rpartition("=")[2] for part in ENVIRONMENTS[name]}
    for folder in exported.values():
        expected, found = (torch.load(folder / file) for file in ("expected.pt", "found.pt"))
        assert found["missing"] == []
        assert torch.equal(found["ids"], expected["ids"])
        for kind, logits in expected["logits"].items():
            assert torch.allclose(found["logits"][kind], logits, atol=1e-5), (name, folder.name, kind)


def test_the_folder_has_the_words_of_both_versions(exported: dict[str, Path]) -> None:
    folder = exported["mlp"] / "final"
    config = json.loads((folder / "config.json").read_text())
    text = config["text_config"]
    assert (text["rope_theta"], text["rope_parameters"]["rope_theta"]) == (10_000.0, 10_000.0)
    assert config["torch_dtype"] == config["dtype"] == "float32"
    assert config["architectures"] == ["LlavaForConditionalGeneration"]
    tokenizer = json.loads((folder / "tokenizer_config.json").read_text())
    assert tokenizer["tokenizer_class"] == "PreTrainedTokenizerFast"
    assert (folder / "preprocessor_config.json").exists()
    assert "image_processor" not in json.loads((folder / "processor_config.json").read_text())
