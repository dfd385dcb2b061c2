from train_bridge.tasks.examples import Example
from train_bridge.tasks.shots import choose_shots

SUPPORT = [Example(doc_id=str(i), source="s", images=(bytes([i]),), answers=("x",)) for i in range(10)]


def drawn(place: int, num_shots: int, seed: int = 0) -> list[str]:
    return [shot.doc_id for shot in choose_shots(SUPPORT[place], support=SUPPORT, num_shots=num_shots, seed=seed)]


def test_shots_are_drawn_by_seed_and_document() -> None:
    assert drawn(3, 4) == drawn(3, 4)
    assert len(set(drawn(3, 4))) == 4
    assert len({tuple(drawn(3, 4, seed)) for seed in range(5)} | {tuple(drawn(4, 4))}) == 6


def test_more_shots_keep_the_nearest() -> None:
    assert drawn(3, 4)[2:] == drawn(3, 2)
    assert drawn(3, 0) == []


def test_a_question_is_never_its_own_shot() -> None:
    assert set(drawn(3, 99)) == set("012456789")
    twin = Example(doc_id="twin", source="s", images=SUPPORT[0].images, answers=("x",))
    assert choose_shots(SUPPORT[0], support=[twin], num_shots=2, seed=0) == []
