import io
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image

from curate.contract.errors import CurateError
from curate.measure.config import ClipConfig
from curate.measure.encoder import ClipEncoder, choose_device, load_encoder

CPU = ClipConfig(model="tiny", batch_size=4, device="cpu")
MODEL_CFG: dict[str, Any] = {
    "embed_dim": 8,
    "vision_cfg": {"image_size": 32, "patch_size": 16, "width": 16, "layers": 1, "head_width": 8},
    "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 8, "heads": 2, "layers": 1},
}


class FakeModel(torch.nn.Module):
    """Reads a row's mean as its meaning, records its batches, and can be short of memory."""

    def __init__(self, *, largest_batch: int = 1000) -> None:
        super().__init__()
        self.visual = SimpleNamespace(image_size=8)
        self.largest_batch = largest_batch
        self.batch_sizes: list[int] = []
        self.num_threads: list[int] = []

    def encode_image(self, batch: torch.Tensor) -> torch.Tensor:
        if len(batch) > self.largest_batch:
            raise torch.OutOfMemoryError
        self.batch_sizes.append(len(batch))
        self.num_threads.append(torch.get_num_threads())
        means = batch.float().flatten(1).mean(1)
        return torch.stack([means, torch.ones_like(means)], dim=1)

    encode_text = encode_image


def to_tensor(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(image.convert("RGB").resize((8, 8)), dtype=np.float32)).permute(2, 0, 1)


def count_letters(texts: list[str]) -> torch.Tensor:
    return torch.tensor([[len(text)] for text in texts])


def fake_encoder(model: FakeModel, *, config: ClipConfig = CPU) -> ClipEncoder:
    return ClipEncoder(model, to_tensor, count_letters, config=config)


def grey(level: int, *, side_px: int = 8) -> Image.Image:
    return Image.new("RGB", (side_px, side_px), (level, level, level))


def jpeg(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG")
    return stream.getvalue()


@pytest.fixture(scope="module")
def tiny_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random open_clip model in a folder, as the ``local-dir:`` path reads it."""
    folder = tmp_path_factory.mktemp("tiny")
    torch.manual_seed(0)
    model = open_clip.CLIP(**MODEL_CFG)
    torch.save(model.state_dict(), folder / "open_clip_pytorch_model.bin")
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": MODEL_CFG, "preprocess_cfg": {}}))
    return folder


@pytest.mark.parametrize("num_texts", [1, 4, 5, 9])
def test_every_pass_has_the_full_batch_size(num_texts: int) -> None:
    model = FakeModel()
    vectors = fake_encoder(model).encode_texts(["x" * (i + 1) for i in range(num_texts)])
    assert set(model.batch_sizes) == {4}
    assert len(model.batch_sizes) == -(-num_texts // 4)
    assert vectors.shape == (num_texts, 2)
    assert vectors.dtype == np.float32
    # The order of the rows is that of the texts: tan of a row's angle is the fake's reading of it.
    assert vectors[:, 0] / vectors[:, 1] == pytest.approx(np.arange(1, num_texts + 1))


def test_vectors_have_unit_length() -> None:
    vectors = fake_encoder(FakeModel()).encode_images([grey(0), grey(90), grey(255)])
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(3))


def test_nothing_to_encode() -> None:
    model = FakeModel()
    assert len(fake_encoder(model).encode_texts([])) == 0
    assert len(fake_encoder(model).encode_images([])) == 0
    assert model.batch_sizes == []


def test_bytes_and_images_are_the_same_to_it() -> None:
    encoder = fake_encoder(FakeModel())
    assert encoder.encode_images([jpeg(grey(200))]) == pytest.approx(encoder.encode_images([grey(200)]), abs=1e-4)


@pytest.mark.parametrize("broken", [b"", b"no image", jpeg(grey(9, side_px=200))[:300]])
def test_an_image_that_does_not_decode_is_nan_and_harms_no_other(broken: bytes) -> None:
    encoder = fake_encoder(FakeModel())
    vectors = encoder.encode_images([broken, grey(50), broken])
    assert np.isnan(vectors[[0, 2]]).all()
    assert vectors[1].tolist() == encoder.encode_images([grey(50)])[0].tolist()
    assert np.isnan(encoder.encode_images([broken])).all()


def test_large_jpegs_are_decoded_at_a_reduced_size() -> None:
    seen: list[tuple[int, int]] = []

    def spy(image: Image.Image) -> torch.Tensor:
        seen.append(image.size)
        return to_tensor(image)

    encoder = ClipEncoder(FakeModel(), spy, count_letters, config=CPU)
    encoder.encode_images([jpeg(grey(9, side_px=64)), jpeg(grey(9, side_px=31)), jpeg(grey(9, side_px=4))])
    assert seen == [(16, 16), (31, 31), (4, 4)]


def test_running_out_of_memory_halves_the_batch_and_is_remembered() -> None:
    model = FakeModel(largest_batch=1)
    encoder = fake_encoder(model)
    texts = ["a", "bb", "ccc"]
    vectors = encoder.encode_texts(texts)
    assert encoder.batch_size == 1
    assert vectors.tolist() == fake_encoder(FakeModel()).encode_texts(texts).tolist()
    encoder.encode_texts(texts)
    assert set(model.batch_sizes) == {1}


def test_a_batch_of_one_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(torch.OutOfMemoryError):
        fake_encoder(FakeModel(largest_batch=0)).encode_texts(["a"])


def test_the_number_of_threads_is_the_option_s_and_is_put_back() -> None:
    before = torch.get_num_threads()
    model = FakeModel()
    fake_encoder(model, config=CPU.model_copy(update={"num_threads": before + 1})).encode_texts(["a"])
    assert model.num_threads == [before + 1]
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_a_cpu_computes_in_float32(precision: str) -> None:
    config = CPU.model_copy(update={"precision": precision})
    images = [grey(17), grey(80)]
    assert (
        fake_encoder(FakeModel(), config=config).encode_images(images).tolist()
        == fake_encoder(FakeModel()).encode_images(images).tolist()
    )


def test_a_score_does_not_depend_on_neighbours(tiny_dir: Path) -> None:
    encoder = load_encoder(CPU.model_copy(update={"model": f"local-dir:{tiny_dir}"}))
    texts = [f"a picture of {number} things" for number in range(6)]
    together, alone = encoder.encode_texts(texts), [encoder.encode_texts([text])[0] for text in texts]
    assert together == pytest.approx(np.stack(alone), abs=1e-6)
    images = [Image.linear_gradient("L").rotate(angle).convert("RGB") for angle in (0, 90, 180, 270, 45)]
    pictures, single = encoder.encode_images(images), [encoder.encode_images([image])[0] for image in images]
    assert pictures == pytest.approx(np.stack(single), abs=1e-6)
    assert len(np.unique(pictures.round(4), axis=0)) == 5
    assert pictures.shape[1] == together.shape[1] == 8


def test_loading_the_same_folder_twice_gives_the_same_vectors(tiny_dir: Path) -> None:
    config = CPU.model_copy(update={"model": f"local-dir:{tiny_dir}", "pretrained": "ignored"})
    assert load_encoder(config).encode_texts(["a"]).tolist() == load_encoder(config).encode_texts(["a"]).tolist()


def missing_folder(folder: Path) -> str:
    return f"local-dir:{folder / 'missing'}"


def empty_folder(folder: Path) -> str:
    return f"local-dir:{folder}"


@pytest.mark.parametrize("name", [missing_folder, empty_folder])
def test_a_model_that_is_not_there_is_named(name: Callable[[Path], str], tmp_path: Path) -> None:
    model = name(tmp_path)
    with pytest.raises(CurateError, match="clip model 'local-dir:"):
        load_encoder(CPU.model_copy(update={"model": model}))


def test_a_folder_without_weights_is_refused(tiny_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "open_clip_config.json").write_text((tiny_dir / "open_clip_config.json").read_text())
    with pytest.raises(CurateError, match="weights"):
        load_encoder(CPU.model_copy(update={"model": f"local-dir:{tmp_path}"}))


@pytest.mark.parametrize(("model", "tag"), [("ViT-B-32", "no_such_tag"), ("No-Such-Model", "openai")])
def test_an_unknown_model_or_tag_is_named(model: str, tag: str) -> None:
    with pytest.raises(CurateError, match=f"'{model}', weights '{tag}'"):
        load_encoder(ClipConfig(model=model, pretrained=tag))


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_cuda_without_a_gpu_is_an_error_and_auto_is_not() -> None:
    with pytest.raises(CurateError, match="no usable CUDA device"):
        choose_device("cuda")
    assert choose_device("auto").type == "cpu"
