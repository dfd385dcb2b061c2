import pickle

from distributed import Client

from pipelines.engine.inbox import Announcement, Inbox


def test_news_of_both_kinds_come_in(client: Client) -> None:
    with Inbox(client) as inbox:
        announcer = pickle.loads(pickle.dumps(inbox.announcer(7)))  # noqa: S301 - our own
        future = client.submit(announcer, "s-00000-00003", pure=False)
        inbox.expect(future)
        news = [inbox.take(), inbox.take()]
    assert Announcement(7, "s-00000-00003") in news
    assert future in news


def test_a_task_that_failed_is_news_too(client: Client) -> None:
    with Inbox(client) as inbox:
        future = client.submit(int, "x", pure=False)
        inbox.expect(future)
        assert inbox.take() is future


def test_two_boxes_do_not_hear_each_other(client: Client) -> None:
    with Inbox(client) as one, Inbox(client) as other:
        client.submit(one.announcer(1), "mine", pure=False).result()
        client.submit(other.announcer(2), "yours", pure=False).result()
        assert (one.take(), other.take()) == (Announcement(1, "mine"), Announcement(2, "yours"))
