import random
from pathlib import Path

import open_clip
import torch

from pipelines.demo.tiny_clip.pictures import render_stored
from pipelines.demo.tiny_clip.train import CONTEXT_LENGTH, TrainOptions, save_model, train_model
from tests.pipelines.demo.tiny_clip.test_pictures import SCENE

OPTIONS = TrainOptions(num_pictures=12, num_steps=2, batch_size=6, num_asides=2, num_threads=1)


def test_training_repeats_and_open_clip_loads_the_result(tmp_path: Path) -> None:
    one, other = train_model(OPTIONS), train_model(OPTIONS)
    for name, weights in one.state_dict().items():
        assert torch.equal(weights, other.state_dict()[name]), name
    save_model(one, tmp_path)
    loaded, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{tmp_path}")
    loaded.eval()
    picture = preprocess(render_stored(SCENE, random.Random(0)))[None]
    tokens = open_clip.get_tokenizer(f"local-dir:{tmp_path}")(["A red star on a blue wall."])
    assert tokens.shape == (1, CONTEXT_LENGTH)
    with torch.no_grad():
        # Stored as float16: close, not equal.
        assert torch.allclose(loaded.encode_image(picture), one.encode_image(picture), atol=0.02)
        assert torch.allclose(loaded.encode_text(tokens), one.encode_text(tokens), atol=0.02)
