import pytest

from train_bridge.packing.cursor import Carried, Cursor


def test_it_comes_back_as_it_was() -> None:
    carried = (Carried(1, 10**10 - 5, 3, 99), Carried(0, 7, 0, 100))
    cursor = Cursor(
        window=100,
        places=(900, 10**10),
        amounts=(1, 2),
        first_pack=5,
        next_pack=8,
        ahead=(-17, 17),
        carried=carried,
    )
    assert Cursor.from_json(cursor.to_json()) == cursor
    assert Cursor.from_json(Cursor().to_json()) == Cursor()


def test_the_most_that_can_wait_is_under_4_kb() -> None:
    places = (3 * 10**10,) * 3
    carried = tuple(Carried(i % 3, places[0] - 16_000 + i, i % 4, 10**7 - 8) for i in range(512))
    cursor = Cursor(
        window=10**7,
        places=places,
        amounts=(10**14,) * 3,
        first_pack=10**10,
        next_pack=10**10 + 999,
        ahead=(-1234,) * 3,
        carried=carried,
    )
    assert len(cursor.to_json()) < 4096


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"window":0,"places":[1],"amounts":[1],"first_pack":0,"next_pack":0,"ahead":[],"carried":"gA=="}',
    ],
)
def test_something_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a plan cursor"):
        Cursor.from_json(text)
