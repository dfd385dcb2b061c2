from pathlib import Path

from pipelines.demo.tiny_clip.card import write_card
from pipelines.demo.tiny_clip.measure import ModelFigures


def test_the_card_shows_what_was_measured(tmp_path: Path) -> None:
    figures = ModelFigures(
        num_documents=7,
        assigned=0.98765,
        own_mean=0.9,
        own_p01=0.6,
        other_mean=0.01,
        other_p95=0.41,
        aside_p95=0.22,
        stray_best_mean=0.31,
    )
    write_card(tmp_path, figures, options_text="steps=3", num_parameters=4_000_000)
    card = (tmp_path / "MODEL_CARD.md").read_text()
    for shown in ("0.9877", "0.410", "0.220", "0.310", "4,000,000", "steps=3", "7 held-out documents"):
        assert shown in card
    assert "{" not in card
