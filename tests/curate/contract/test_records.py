import dataclasses
import pickle

import pytest

from curate.contract.reasons import Kind, Modality
from curate.contract.records import Document, Item


def test_records_are_values() -> None:
    item = Item(modality=Modality.TEXT, text="a")
    document = Document(native_id="", ordinal="f#1", kind=Kind.TEXT, items=(item,))
    assert pickle.loads(pickle.dumps(document)) == document  # noqa: S301 - our own bytes
    with pytest.raises(dataclasses.FrozenInstanceError):
        item.text = "b"  # type: ignore[misc]


def test_documents_share_no_meta() -> None:
    first, second = (Document(native_id="", ordinal=f"f#{n}", kind=Kind.TEXT) for n in (1, 2))
    assert first.meta is not second.meta
