from typing import Any

import pytest

from train_bridge.tokens.layout import ImagePiece, Placement, lay_out


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def image(matched: int | None = None) -> dict[str, Any]:
    return {"type": "image", "matched_item": matched}


def order(record: dict[str, Any], placement: Placement, max_images: int | None = None) -> list[object]:
    layout = lay_out(record, placement=placement, max_images=max_images)
    return [piece.ordinal if isinstance(piece, ImagePiece) else piece.text for piece in layout]


RECORD = {"items": [image(3), text("a"), image(1), text("b"), image(), text("c"), image()]}


def test_natural_placement_is_the_order_of_the_record() -> None:
    assert order(RECORD, "natural") == [0, "a", 1, "b", 2, "c", 3]


def test_matched_placement_puts_an_image_before_its_text() -> None:
    assert order(RECORD, "matched") == [1, "a", 0, "b", 2, "c", 3]


def test_images_of_one_text_keep_their_order() -> None:
    assert order({"items": [text("a"), image(0), image(0)]}, "matched") == [0, 1, "a"]


def test_the_cap_keeps_the_best_images() -> None:
    record = RECORD | {"scores": {"best_sim": [0.1, 0.9, None, 0.5]}}
    assert order(record, "natural", 2) == ["a", 1, "b", "c", 3]
    assert order(record, "natural", 0) == ["a", "b", "c"]


def test_without_scores_the_cap_keeps_the_first() -> None:
    assert order(RECORD, "natural", 1) == [0, "a", "b", "c"]


def test_an_empty_record() -> None:
    assert order({"items": []}, "matched") == []


@pytest.mark.parametrize("record", [{}, {"items": [{"text": "a"}]}, {"items": None}, {"items": [3]}])
def test_malformed_records_raise(record: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError)):
        lay_out(record, placement="natural")
