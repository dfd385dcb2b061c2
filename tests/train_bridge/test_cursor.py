import pytest

from train_bridge.cursor import Carried, Cursor


def test_it_survives_json() -> None:
    cursor = Cursor(window=3, position=4096, first_pack=70, next_pack=77, carried=(Carried(4000, 1, 2),))
    assert Cursor.from_json(cursor.to_json()) == cursor


def test_the_largest_state_is_under_4_kb() -> None:
    waiting = tuple(Carried(10**11 + i, 10**4, 10**9) for i in range(100))
    cursor = Cursor(window=10**9, position=10**11, first_pack=10**10, next_pack=10**10, carried=waiting)
    assert len(cursor.to_json()) < 4096


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"carried": [[1]]}', '{"carried": [], "no": 1}', '{"carried": 3}'])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"cursor|Expecting"):
        Cursor.from_json(text)
