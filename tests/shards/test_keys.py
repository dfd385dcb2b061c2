from collections.abc import Mapping, Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shards.keys import count_suspects, describe_duplicates, find_suspects, hash_texts, report_keys
from shards.writer import sample_key, shard_name


def own_keys(shard: int, *, num_samples: int) -> list[str]:
    return [sample_key(shard, number) for number in range(num_samples)]


def duplicates(keys: Mapping[str, Sequence[str]], *, max_keys: int = 1000) -> list[tuple[str, list[str], int]]:
    suspects = find_suspects({name: report_keys(name, of_shard) for name, of_shard in keys.items()})
    return describe_duplicates(
        [count_suspects(name, keys[name], hashes, max_keys=max_keys) for name, hashes in suspects.items()]
    )


def faults_of(keys: Mapping[str, Sequence[str]]) -> list[str]:
    return [fault for _, faults, _ in duplicates(keys) for fault in faults]


def naive_faults(keys: Mapping[str, Sequence[str]]) -> list[str]:
    every = [key for of_shard in keys.values() for key in of_shard]
    return [
        f"{name}, sample {key}: the key occurs {every.count(key)} times in the set"
        for name in sorted(keys)
        for key in dict.fromkeys(keys[name])
        if every.count(key) > 1
    ]


def test_of_shards_as_we_write_them_nothing_is_kept_however_many_samples_they_have() -> None:
    reports = {shard_name(n): report_keys(shard_name(n), own_keys(n, num_samples=5000)) for n in range(3)}
    assert all(not len(report.suspects) and not report.claims for report in reports.values())
    assert find_suspects(reports) == {}


def test_of_other_keys_eight_bytes_a_sample_are_kept() -> None:
    report = report_keys("00000.tar", [f"mine{number}" for number in range(1000)])
    assert (report.suspects.nbytes, report.claims) == (8000, {})
    assert find_suspects({"00000.tar": report}) == {}


_KEYS = st.lists(st.sampled_from([*own_keys(0, num_samples=3), *own_keys(1, num_samples=3), "a", "b", "٠٠٠٠٠١٢٣٤٥٦"]))


@given(st.dictionaries(st.sampled_from(["00000.tar", "00001.tar", "00002.tar"]), _KEYS))
def test_what_occurs_twice_is_found_wherever_it_is(keys: dict[str, list[str]]) -> None:
    assert faults_of(keys) == naive_faults(keys)


def test_a_key_of_a_shards_own_form_is_asked_for_there_only_if_another_has_it() -> None:
    keys = {"00000.tar": own_keys(0, num_samples=4), "00001.tar": [*own_keys(1, num_samples=2), sample_key(0, 3)]}
    reports = {name: report_keys(name, of_shard) for name, of_shard in keys.items()}
    assert {name: len(hashes) for name, hashes in find_suspects(reports).items()} == {"00000.tar": 1, "00001.tar": 1}
    assert faults_of(keys) == naive_faults(keys) != []
    assert faults_of({"00001.tar": keys["00001.tar"]}) == []


def test_only_the_first_are_spelt_out_and_all_are_counted() -> None:
    keys = {"00000.tar": own_keys(0, num_samples=9), "00001.tar": own_keys(0, num_samples=9)}
    assert [(len(faults), num) for _, faults, num in duplicates(keys, max_keys=2)] == [(2, 9), (2, 9)]


def test_texts_have_hashes_of_their_own() -> None:
    hashes = hash_texts(["a", "b", "a", "\ud800"])
    assert hashes.dtype == np.uint64
    assert hashes[0] == hashes[2]
    assert len(np.unique(hashes)) == 3
    assert len(hash_texts([])) == 0
