import pytest

from train_bridge.tokens.layout import ImagePiece, TextPiece
from train_bridge.tokens.turns import Message, Turn, fold_system, gather_turns, write_messages

ASK, ANSWER = TextPiece("What?", "user"), TextPiece("A dog.", "assistant")
SYSTEM = TextPiece("Be kind.", "system")


def strings(layout: list[TextPiece | ImagePiece]) -> list[Message]:
    return write_messages(gather_turns(layout), form="string", image_text="<image>\n")


def test_neighbours_of_one_role_are_one_turn() -> None:
    messages = strings([ASK, TextPiece("Now.", "user"), ANSWER])
    assert messages == [{"role": "user", "content": "What?\nNow."}, {"role": "assistant", "content": "A dog."}]


@pytest.mark.parametrize(
    ("layout", "first"),
    [
        ([ImagePiece(0), ASK, ANSWER], "<image>\nWhat?"),
        ([ASK, ImagePiece(0), ANSWER], "What?\n<image>\n"),
        ([ImagePiece(0), ImagePiece(1), ASK, ANSWER], "<image>\n<image>\nWhat?"),
        ([ImagePiece(0), ANSWER], "<image>\n"),
        ([TextPiece("What?\n", "user"), TextPiece("Now.", "user"), ANSWER], "What?\nNow."),
    ],
)
def test_images_are_the_users(layout: list[TextPiece | ImagePiece], first: str) -> None:
    assert strings(layout) == [{"role": "user", "content": first}, {"role": "assistant", "content": "A dog."}]


def test_a_last_image_is_a_turn_of_its_own() -> None:
    assert strings([ASK, ANSWER, ImagePiece(0)])[-1] == {"role": "user", "content": "<image>\n"}


def test_content_as_parts_names_each_image_and_text() -> None:
    turns = gather_turns([ImagePiece(0), ASK, TextPiece("Now.", "user"), ImagePiece(1), ANSWER])
    assert write_messages(turns, form="parts", image_text="<image>\n")[0] == {
        "role": "user",
        "content": [{"type": "image"}, {"type": "text", "text": "What?\nNow."}, {"type": "image"}],
    }


def test_what_the_system_says_is_folded_into_the_users_first_turn() -> None:
    turns = fold_system(gather_turns([SYSTEM, ASK, ANSWER]))
    assert [(turn.role, turn.texts) for turn in turns] == [("user", ["Be kind.\n\nWhat?"]), ("assistant", ["A dog."])]
    (first, _) = fold_system(gather_turns([SYSTEM, ImagePiece(0), ASK, ANSWER]))
    assert first.pieces == (TextPiece("Be kind.", "system"), ImagePiece(0), ASK)


@pytest.mark.parametrize("layout", [[SYSTEM], [SYSTEM, ANSWER], [ASK, ANSWER]])
def test_there_may_be_nothing_to_fold(layout: list[TextPiece | ImagePiece]) -> None:
    turns: list[Turn] = gather_turns(layout)
    assert fold_system(turns) == turns
