import json
from pathlib import Path
from typing import Any

import pytest

from curate.contract.errors import CurateError
from curate.contract.ids import sha256_hex
from pipelines.verify import verify
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


def test_a_ledger_that_is_no_json_is_an_error_of_ours(run: Path) -> None:
    (run / "ledger.json").write_text("{", encoding="utf-8")
    with pytest.raises(CurateError, match="not valid JSON"):
        verify(str(run))


def test_nothing_to_verify_is_an_error(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(CurateError, match="neither a run folder"):
            verify(str(path))
