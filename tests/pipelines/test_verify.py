import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from distributed import Client

from curate.contract.errors import CurateError
from curate.contract.ids import sha256_hex
from pipelines.run.mapped import ClusterOptions
from pipelines.verify import repair, verify
from shards.card import ShardSetInfo
from shards.finish import finish_shard_set
from shards.sample import Sample, SampleImage, SampleText
from shards.writer import write_shard
from tests.pipelines.corpus import jpeg


def sample(doc_id: str, *numbers: int, source: str = "mmc4") -> Sample:
    images = [
        SampleImage(data=jpeg(n), image_id=sha256_hex(jpeg(n)), url=None, width=16 + n, height=12) for n in numbers
    ]
    return Sample(doc_id=doc_id, kind="interleaved", source=source, url=None, items=(SampleText("text"), *images))


def counts(num: int) -> dict[str, Any]:
    return {"in": num, "kept": num, "rejected": {}}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder with one shard set: two documents of mmc4, one of them twice, and one of coyo."""
    samples = [sample("a", 1, 2), sample("b"), sample("a", 1, 2), sample("c", 3, source="coyo")]
    result = write_shard(f"{tmp_path}/shards/main/00000.tar", samples, shard=0)
    info = ShardSetInfo(name="main", recipe_sha256="0" * 64, blend={"samples": 4}, filters=[])
    finish_shard_set(f"{tmp_path}/shards/main", [result], info=info)
    ledger = {
        "sources": {
            "mmc4": {"documents": counts(2), "images": counts(2)},
            "coyo": {"documents": counts(1), "images": counts(1)},
            "flan": {"documents": counts(0), "images": counts(0)},
        },
        "totals": {"documents": counts(3), "images": counts(3)},
        "shard_set": "main",
    }
    write_ledger(tmp_path, ledger)
    return tmp_path


def write_ledger(run: Path, ledger: Any) -> None:
    (run / "ledger.json").write_text(json.dumps(ledger), encoding="utf-8")


def read_ledger(run: Path) -> Any:
    return json.loads((run / "ledger.json").read_text(encoding="utf-8"))


def test_a_good_run_and_a_good_shard_set_have_no_fault(run: Path) -> None:
    assert verify(str(run)) == []
    assert verify(f"{run}/") == []
    assert verify(f"{run}/shards/main") == []


@pytest.mark.parametrize("target", ["", "/shards/main"])
def test_a_flipped_byte_is_found(run: Path, target: str) -> None:
    path = run / "shards/main/00000.tar"
    data = bytearray(path.read_bytes())
    place = bytes(data).index(jpeg(3)) + 40
    data[place] ^= 1
    path.write_bytes(bytes(data))
    faults = verify(f"{run}{target}")
    assert faults
    prefix = "" if target else "shards/main: "
    assert all(fault.startswith(f"{prefix}00000.tar") for fault in faults)


def test_every_shard_set_is_looked_at(run: Path) -> None:
    result = write_shard(f"{run}/shards/other/00000.tar", [sample("a")], shard=0)
    info = ShardSetInfo(name="other", recipe_sha256="0" * 64, blend={}, filters=[])
    finish_shard_set(f"{run}/shards/other", [result], info=info)
    assert verify(str(run)) == []
    (run / "shards/other/manifest.json").unlink()
    faults = verify(str(run))
    assert faults
    assert all(fault.startswith("shards/other: ") for fault in faults)


@pytest.mark.parametrize(("unit", "number"), [("documents", 2), ("images", 2)])
def test_a_ledger_that_adds_up_but_lies_is_found(run: Path, unit: str, number: int) -> None:
    ledger = read_ledger(run)
    ledger["sources"]["mmc4"][unit] = counts(number + 5)
    ledger["totals"][unit] = counts(3 + 5)
    write_ledger(run, ledger)
    assert verify(str(run)) == [f"ledger: source mmc4 keeps 7 {unit}, but shards/main holds 2"]


def test_a_ledger_that_does_not_add_up_is_found(run: Path) -> None:
    ledger = read_ledger(run)
    ledger["sources"]["coyo"]["images"]["in"] = 9
    write_ledger(run, ledger)
    assert any("source coyo, images: 9 in, but 1 kept" in fault for fault in verify(str(run)))


def test_a_source_that_the_ledger_does_not_know_is_found(run: Path) -> None:
    ledger = read_ledger(run)
    del ledger["sources"]["coyo"]
    ledger["totals"] = {"documents": counts(2), "images": counts(2)}
    write_ledger(run, ledger)
    faults = verify(str(run))
    assert any("coyo" in fault for fault in faults)


@pytest.mark.parametrize(
    "ledger",
    [
        {},
        [],
        {"sources": [], "totals": {}},
        {"sources": {"mmc4": {}}, "totals": {}},
        {"sources": {"mmc4": 3}, "totals": 4},
        {"sources": {"mmc4": {"documents": {}, "images": {}}}, "totals": {}},
    ],
)
def test_a_ledger_of_another_shape_is_a_fault_and_no_crash(run: Path, ledger: Any) -> None:
    write_ledger(run, ledger)
    assert verify(str(run))


def test_a_missing_ledger_is_a_fault(run: Path) -> None:
    (run / "ledger.json").unlink()
    assert verify(str(run)) == ["ledger.json: missing"]


def test_a_ledger_of_a_shard_set_that_is_not_there_is_a_fault(run: Path) -> None:
    write_ledger(run, {**read_ledger(run), "shard_set": "gone"})
    (fault,) = verify(str(run))
    assert "shards/gone" in fault


def write_own_ledger(run: Path, name: str, ledger: Any) -> None:
    (run / "blend").mkdir(exist_ok=True)
    (run / f"shards/{name}/ledger.json").write_text(json.dumps(ledger), encoding="utf-8")


def write_other_set(run: Path) -> None:
    result = write_shard(f"{run}/shards/other/00000.tar", [sample("a", 1, 2)], shard=0)
    info = ShardSetInfo(name="other", recipe_sha256="0" * 64, blend={}, filters=[])
    finish_shard_set(f"{run}/shards/other", [result], info=info)


def test_each_set_is_compared_with_its_own_ledger_where_it_has_one(run: Path) -> None:
    write_other_set(run)
    write_own_ledger(run, "main", read_ledger(run))
    other = {
        "sources": {"mmc4": {"documents": counts(1), "images": counts(2)}},
        "totals": {"documents": counts(1), "images": counts(2)},
        "shard_set": "other",
    }
    write_own_ledger(run, "other", other)
    assert verify(str(run)) == []
    write_ledger(run, other)
    assert verify(str(run)) == []
    other["sources"]["mmc4"]["images"] = other["totals"]["images"] = counts(3)  # type: ignore[index]
    write_own_ledger(run, "other", other)
    assert verify(str(run)) == [
        "shards/other/ledger.json: source mmc4 keeps 3 images, but shards/other holds 2",
    ]
    write_ledger(run, other)
    assert verify(str(run)) == ["ledger: source mmc4 keeps 3 images, but shards/other holds 2"]
    (run / "shards/other/ledger.json").unlink()
    assert verify(str(run)) == ["ledger: source mmc4 keeps 3 images, but shards/other holds 2"]


@pytest.mark.parametrize(
    ("own", "faults"),
    [
        ([], ["shards/main/ledger.json: no JSON object"]),
        ({}, ["shards/main/ledger.json: the ledger lacks its sources or its totals",
              "shards/main/ledger.json: shards/main holds documents of source coyo, which it does not know",
              "shards/main/ledger.json: shards/main holds documents of source mmc4, which it does not know"]),
    ],
)  # fmt: skip
def test_an_own_ledger_of_another_shape_is_a_fault(run: Path, own: Any, faults: list[str]) -> None:
    write_own_ledger(run, "main", own)
    assert verify(str(run)) == faults


def test_a_name_in_a_ledger_leads_nowhere_else(run: Path) -> None:
    elsewhere = run.parent / "elsewhere"
    shutil.copytree(run / "shards/main", elsewhere)
    write_ledger(run, {**read_ledger(run), "shard_set": "../../elsewhere"})
    (fault,) = verify(str(run))
    assert fault.endswith("no index.parquet here; is this a finished shard set?")


def damage(run: Path) -> None:
    """Faults in several shards of two sets, keys that occur twice among them."""
    for name in ("main", "other"):
        folder = run / "shards" / name
        results = []
        for shard in range(4):
            samples = [sample(f"{shard}-{n}", n + 1) for n in range(3)]
            results.append(write_shard(f"{folder}/{shard:05d}.tar", samples, shard=shard))
        finish_shard_set(str(folder), results, info=ShardSetInfo(name=name, recipe_sha256="0" * 64))
        (folder / "00003.tar").write_bytes((folder / "00001.tar").read_bytes())
        for shard in (2, 0):
            data = bytearray((folder / f"0000{shard}.tar").read_bytes())
            data[bytes(data).index(jpeg(2)) + 40] ^= 1
            (folder / f"0000{shard}.tar").write_bytes(data)
        (folder / "00001.tar.idx").unlink()


def test_workers_find_what_one_process_does_in_the_same_order(run: Path, client: Client) -> None:
    damage(run)
    here = verify(str(run), deep=True)
    assert verify(str(run), deep=True, cluster=ClusterOptions(scheduler=client.scheduler.address)) == here
    assert any("00001000000: the key occurs 2 times" in fault for fault in here)
    assert {fault.split("/")[1].split(":")[0] for fault in here if fault.startswith("shards/")} == {"main", "other"}
    assert not (run / "state.json").exists()


def test_workers_repair_what_one_process_does(run: Path, client: Client) -> None:
    whole = (run / "shards/main/index.parquet").read_bytes()
    for cluster in (ClusterOptions(), ClusterOptions(scheduler=client.scheduler.address)):
        (run / "shards/main/index.parquet").write_bytes(b"PAR1")
        (run / "shards/main/00000.tar.idx").unlink()
        assert repair(str(run), cluster=cluster) == [
            "shards/main: index.parquet: rebuilt from the tars",
            "shards/main: 00000.tar.idx: rebuilt from the tars",
        ]
        assert (run / "shards/main/index.parquet").read_bytes() == whole
        assert sorted(path.name for path in run.glob("shards/main/.*")) == [".nv-meta"]
    assert verify(str(run)) == []


def test_a_ledger_that_is_no_json_is_an_error_of_ours(run: Path) -> None:
    (run / "ledger.json").write_text("{", encoding="utf-8")
    with pytest.raises(CurateError, match="not valid JSON"):
        verify(str(run))


def test_nothing_to_verify_is_an_error(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(CurateError, match="neither a run folder"):
            verify(str(path))
