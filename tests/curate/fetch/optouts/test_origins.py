import asyncio
from functools import partial

from curate.fetch.optouts.origins import MAX_STORED_ORIGINS, AskOnce, OriginStore


def test_the_store_forgets_the_oldest() -> None:
    store = OriginStore[str]()
    for number in range(MAX_STORED_ORIGINS + 1):
        store.put(str(number), f"answer {number}")
    assert store.get("0") is None
    assert store.get("1") == "answer 1"


def test_an_origin_is_asked_once_per_session_and_only_kept_answers_outlive_it() -> None:
    store, asked = OriginStore[str](), list[str]()

    async def ask(key: str, *, is_kept: bool) -> tuple[str, bool]:
        asked.append(key)
        await asyncio.sleep(0.001)
        return key.upper(), is_kept

    async def session() -> None:
        once = AskOnce(store)
        keys = ["a", "a", "b", "a"]
        answers = await asyncio.gather(*(once.get(key, partial(ask, key, is_kept=key == "a")) for key in keys))
        assert answers == ["A", "A", "B", "A"]

    asyncio.run(session())
    asyncio.run(session())
    assert asked == ["a", "b", "b"]
