from pathlib import Path

import pytest

from shards.verify import verify_shards


def test_a_card_that_would_lose_images_is_a_fault(shard_set: Path) -> None:
    card = shard_set / "README.md"
    card.write_text(card.read_text().replace("  - name: 11.jpg\n    dtype: image\n", ""))
    assert verify_shards(str(shard_set)) == [
        "README.md: dataset_info.features does not declare 11.jpg, so datasets would drop them"
    ]


@pytest.mark.parametrize("text", ["{", '{"shard_counts": {"00000.tar": 5}}'])
def test_energons_counts_are_compared(shard_set: Path, text: str) -> None:
    (shard_set / ".nv-meta" / ".info.json").write_text(text)
    assert verify_shards(str(shard_set)) == [".nv-meta/.info.json: its samples per shard are not those of the tars"]


def test_a_card_that_names_other_files_is_a_fault(shard_set: Path) -> None:
    card = shard_set / "README.md"
    card.write_text(card.read_text().replace("path: '*.tar'", "path: '*.zip'"))
    (fault,) = verify_shards(str(shard_set))
    assert fault.startswith("README.md: no data_files of its configs is *.tar")


def test_a_card_without_its_header_is_a_fault(shard_set: Path) -> None:
    (shard_set / "README.md").write_text("---\ndataset_info: 3\nconfigs: [1]\n---\n# Title\n")
    assert [fault.split(" ")[1] for fault in verify_shards(str(shard_set))] == ["dataset_info.features", "no"]


@pytest.mark.parametrize(
    ("name", "text", "faults"),
    [
        ("split.yaml", "[", ["has no split_parts"]),
        ("split.yaml", "split_parts: {train: [00000.tar]}", ["00001.tar is in no split"]),
        ("split.yaml", "split_parts: {train: [00000.tar], val: [00001.tar]}", []),
        ("split.yaml", "split_parts: {train: [00000.tar]}\nexclude: [00001.tar]", []),
        (
            "split.yaml",
            "split_parts: {train: [00000.tar, 00001.tar], val: [00007.tar]}",
            ["lists 00007.tar, which is not there"],
        ),
        ("dataset.yaml", "{}", ["names no class to read the set with"]),
    ],
)
def test_energons_split_may_be_cut_anew_but_must_be_whole(
    shard_set: Path, name: str, text: str, faults: list[str]
) -> None:
    (shard_set / ".nv-meta" / name).write_text(text)
    assert verify_shards(str(shard_set)) == [f".nv-meta/{name}: {fault}" for fault in faults]


def test_a_description_of_other_files_is_a_fault(shard_set: Path) -> None:
    path = shard_set / "croissant.json"
    path.write_text(path.read_text().replace("00001.tar", "00002.tar"))
    assert verify_shards(str(shard_set)) == ["croissant.json: its files, sizes or checksums are not those of the set"]
