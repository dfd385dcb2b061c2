import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from curate.contract.errors import ShardError
from train_bridge.data.documents import EncodedDocuments
from train_bridge.tokens.encoder import Encoded


def encoded(num_tokens: int) -> Encoded:
    ids = np.arange(num_tokens, dtype=np.int32)
    return Encoded(ids=ids, labelled=ids > 0, breaks=ids[:0], images=())


def test_threads_that_ask_at_once_share_one_encoding() -> None:
    asked, is_waited_for = [], threading.Event()

    def encode(row: int) -> Encoded:
        asked.append(row)
        assert is_waited_for.wait(10)
        return encoded(5)

    documents = EncodedDocuments(encode)
    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(documents.find, 7) for _ in range(4)]
        is_waited_for.set()
        assert len({id(future.result()) for future in futures}) == 1
    assert asked == [7]


def test_what_was_asked_for_longest_ago_is_forgotten() -> None:
    asked = []

    def encode(row: int) -> Encoded:
        asked.append(row)
        return encoded(6)

    documents = EncodedDocuments(encode, max_tokens=12)
    for row in (0, 1, 0, 2, 0, 1):
        documents.find(row)
    assert asked == [0, 1, 2, 1]


def test_one_document_is_kept_whatever_its_length() -> None:
    documents = EncodedDocuments(lambda _: encoded(6), max_tokens=1)
    assert documents.find(3) is documents.find(3)


def test_a_document_that_could_not_be_read_is_tried_again() -> None:
    errors = [ShardError("gone")]

    def encode(_row: int) -> Encoded:
        if errors:
            raise errors.pop()
        return encoded(2)

    documents = EncodedDocuments(encode)
    with pytest.raises(ShardError, match="gone"):
        documents.find(0)
    assert isinstance(documents.find(0), Encoded)
