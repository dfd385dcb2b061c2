from curate.measure.tiny_clip import model_dir
from pipelines.demo.tiny_clip.measure import measure_model

MAX_MODEL_BYTES = 12_000_000


def test_the_committed_model_gives_pictures_their_own_sentences() -> None:
    figures = measure_model(model_dir(), num_documents=16, seed=2)
    assert figures.assigned >= 0.97
    assert figures.own_mean > 0.65
    # A floor of 0.5 on the best score tells the two apart.
    assert figures.own_p01 > 0.5
    assert figures.stray_best_mean < 0.5
    assert figures.other_p95 < 0.5
    assert figures.aside_p95 < 0.3


def test_the_committed_model_is_small() -> None:
    files = [path for path in model_dir().iterdir() if path.suffix in (".safetensors", ".json")]
    assert {path.name for path in files} == {"open_clip_model.safetensors", "open_clip_config.json"}
    assert sum(path.stat().st_size for path in files) < MAX_MODEL_BYTES
