import pytest

from curate.contract.schemas import SHARD_INDEX
from shards.index import index_row, index_table, padded_bytes, place_parts


@pytest.mark.parametrize(("num_bytes", "padded"), [(0, 0), (1, 512), (512, 512), (513, 1024)])
def test_contents_fill_whole_blocks(num_bytes: int, padded: int) -> None:
    assert padded_bytes(num_bytes) == padded


def test_each_part_lies_behind_its_header() -> None:
    parts, end = place_parts([("json", 10), ("0.jpg", 512), ("1.jpg", 0)], offset=1024)
    assert [(part["name"], part["offset"]) for part in parts] == [("json", 1536), ("0.jpg", 2560), ("1.jpg", 3584)]
    assert end == 3584


def test_a_row_counts_words_characters_and_images() -> None:
    record = {
        "doc_id": "d",
        "source": "s",
        "kind": "pair",
        "items": [
            {"type": "text", "text": "two  wörds\n"},
            {"type": "image", "width": 3, "height": 4},
            {"type": "text", "text": ""},
        ],
    }
    parts, end = place_parts([("json", 10), ("0.jpg", 20)], offset=512)
    row = index_row(record, key="k", shard="00000.tar", offset=512, parts=parts)
    assert (row["num_words"], row["num_chars"], row["num_images"]) == (2, 11, 1)
    assert (row["image_widths"], row["image_heights"]) == ([3], [4])
    assert row["num_bytes"] == end - 512
    assert index_table([row]).schema.equals(SHARD_INDEX)
