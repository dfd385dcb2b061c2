import io
import json
import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from distributed import Client

from curate.contract.errors import CurateError
from pipelines.engine.loop import Report, Task, run_tasks
from pipelines.file_reading import FileReading
from pipelines.recipes.load import parse_recipe
from pipelines.run.context import RunContext
from pipelines.run.folder import RunFolder
from pipelines.run.tables import DOCUMENTS, HELD_IMAGES, INGEST_VERDICTS, ITEMS
from pipelines.stages.ingest import InputFile, ingest_file, input_files
from tests.pipelines.cluster_tasks import echo
from tests.pipelines.corpus import jpeg

TABLES = (DOCUMENTS, ITEMS, INGEST_VERDICTS)


def make(folder: Path, name: str, data: bytes, source: str, range_bytes: int, **options: Any) -> RunContext:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(data)
    recipe = f"""
sources: [{{name: s, path: {name}, {source}}}]
partition_num_docs: 4
fetch: {{contact: "mailto:a@b.example"}}
engine: {{range_bytes: {range_bytes}}}
"""
    root = RunFolder(str(folder / f"run-{range_bytes}"))
    return RunContext(folder=root, recipe=parse_recipe(recipe), base=str(folder), **options)


def only_file(context: RunContext) -> InputFile:
    (file,) = input_files(context)
    return file


class Runner:
    """Runs the tasks of one file in this process, in an order that a seed chooses, and notes what happens."""

    def __init__(self, context: RunContext, *, seed: int = 0, num_ahead: int = 3) -> None:
        self.context, self.order = context, random.Random(seed)
        self.handed_on: list[str] = []
        self.began_within: list[str] = []
        """The task under way when a partition was handed on, or nothing."""
        self.reports: list[Report] = []
        self.num_expected = 1
        self.running = ""
        self.ready: list[Task] = []
        self.reading = FileReading(
            context, only_file(context), hand_on=self.hand_on, expect=self.expect, num_ahead=num_ahead
        )

    def hand_on(self, partition: str) -> list[Task]:
        assert self.context.folder.stamp(DOCUMENTS, partition) is not None
        self.handed_on.append(partition)
        self.began_within.append(self.running)
        return []

    def expect(self, more: int) -> None:
        self.num_expected += more

    def run(self, stop_after: int | None = None) -> "Runner":
        self.ready.append(self.reading.begin())
        while self.ready and stop_after != len(self.reports):
            task = self.ready.pop(self.order.randrange(len(self.ready)))
            self.running = task.partition
            report = self.call(task)
            self.running = ""
            self.reports.append(report)
            self.ready += task.then(report)
        return self

    def call(self, task: Task) -> Report:
        heard = task.on_announced
        if heard is None:
            return task.call(*task.args)
        return task.call(*task.args, announce=lambda partition: self.ready.extend(heard(partition)))

    @property
    def kinds(self) -> list[str]:
        return [report.partition for report in self.reports]


def content(context: RunContext, partitions: Iterable[str]) -> dict[tuple[str, str], str | None]:
    """Return the digest of every table; pages have no items yet."""
    stamps = {
        (name, table.name): context.folder.stamp(table, name) for name in partitions for table in (*TABLES, HELD_IMAGES)
    }
    return {key: None if stamp is None else stamp.digest for key, stamp in stamps.items()}


def lines(num: int, *, end: str = "\n", text: Callable[[int], str] = lambda n: f"text {n}") -> list[bytes]:
    records = ({"url": f"http://h/{n}", "text_list": [text(n)], "image_info": []} for n in range(num))
    return [(json.dumps(record, ensure_ascii=False) + end).encode() for record in records]


def parquet(columns: dict[str, Any], rows: int) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file, row_group_size=rows)
    return file.getvalue()


def spoil(data: bytes, group: int) -> bytes:
    """Damage a column of a row group."""
    meta = pq.read_metadata(io.BytesIO(data)).row_group(group).column(0)
    at = meta.dictionary_page_offset or meta.data_page_offset
    return data[:at] + bytes(byte ^ 0xFF for byte in data[at : at + 40]) + data[at + 40 :]


URLS = [f"http://h/{n}.jpg" for n in range(30)]
TEXTS = [f"a cat number {n}" for n in range(30)]
MMC4, PAIRS, PAGES = "type: mmc4", "type: pairs", "type: pages"
TABLE = [f"{url}\t{text}\n".encode() for url, text in zip(URLS, TEXTS, strict=True)]
PARQUET = parquet({"url": URLS, "text": TEXTS}, 3)
MIXED = lines(11)
MIXED[2:2] = [b"\n", b"  \r\n", b"{broken\n", b"\xff\xfe\n"]
MIXED[9:9] = [b"[1]\n", b"\n", b"\n"]

CUT: dict[str, tuple[str, bytes, str]] = {
    "jsonl": ("a.jsonl", b"".join(lines(23)), MMC4),
    "crlf": ("a.jsonl", b"".join(lines(23, end="\r\n")), MMC4),
    "faults and blank lines": ("a.jsonl", b"".join(MIXED), MMC4),
    "byte order mark": ("a.jsonl", b"\xef\xbb\xbf" + b"".join(lines(9)), MMC4),
    "broken last line": ("a.jsonl", b"".join(lines(12)) + b'{"url": "http', MMC4),
    "no last line end": ("a.jsonl", b"".join(lines(12)).rstrip(), MMC4),
    "whole chunks": ("a.jsonl", b"".join(lines(16)), MMC4),
    "long lines": ("a.jsonl", b"".join(lines(14, text=lambda n: "word " * (400 if n % 5 == 2 else 1))), MMC4),
    "other letters": ("a.jsonl", b"".join(lines(14, text=lambda n: "\u4f60\u597d\u2028" * n)), MMC4),
    "tsv": ("a.tsv", b"url\ttext\n" + b"".join(TABLE), PAIRS),
    "tsv with faults": ("a.tsv", b"url\ttext\r\n" + b"".join([*TABLE[:7], b"a\n\n\xff\n", *TABLE[7:]]), PAIRS),
    "tsv without header": ("a.tsv", b"".join(TABLE), PAIRS + ", columns: [url, text]"),
    "csv without quotes": ("a.csv", b"url,text\n" + b"".join(TABLE).replace(b"\t", b","), PAIRS + ", quotes: false"),
    "txt": ("a.txt", b"".join([b"# list\n", *(f"{url}\n".encode() for url in URLS), b"\n", b"#\n"]), PAGES),
    "parquet": ("a.parquet", PARQUET, PAIRS),
    "parquet with faults": ("a.parquet", parquet({"url": [*URLS[:9], None, "", *URLS[11:]], "text": TEXTS}, 3), PAIRS),
}  # fmt: skip
PICTURES = [None if n < 105 else {"bytes": jpeg(n), "path": ""} for n in range(120)]
CUT["pictures later on"] = ("a.parquet", parquet({"url": URLS * 4, "text": TEXTS * 4, "jpg": PICTURES}, 40), PAIRS)
CAPTIONS = [[text] if n < 105 else [text, "again"] for n, text in enumerate(TEXTS * 4)]
LATER = lines(130)
TURN_OUT_OTHERWISE: dict[str, tuple[str, bytes, str]] = {
    "blank beyond ascii": ("a.jsonl", b"".join([*lines(9), "\u3000\n".encode(), *lines(9)]), MMC4),
    "damaged row group": ("a.parquet", spoil(PARQUET, 4), PAIRS),
    "objects of a line later on": (
        "a.jsonl",
        b"".join([*LATER[:107], LATER[107].strip() * 3 + b"\n", *LATER[108:]]),
        MMC4,
    ),
    "more captions later on": ("a.parquet", parquet({"url": URLS * 4, "text": CAPTIONS}, 9), PAIRS),
}
COCO = {
    "images": [{"id": n, "coco_url": url} for n, url in enumerate(URLS)],
    "annotations": [{"id": n, "image_id": n, "caption": text} for n, text in enumerate(TEXTS)],
}
WHOLE: dict[str, tuple[str, bytes, str]] = {
    "json array": ("a.json", b"[\n" + b",\n".join(line.rstrip() for line in lines(20)) + b"\n]\n", MMC4),
    "objects of a line": ("a.jsonl", b"".join(line.strip() * 2 + b"\n" for line in lines(20)), MMC4),
    "coco": ("a.json", json.dumps(COCO).encode(), PAIRS),
    "a page once": ("a.txt", b"http://h/1\nhttp://h/2\nhttp://h/1\n" * 9, PAGES + ", same_page: url"),
    "quotes": ("a.csv", b"url,text\n" + b'http://h/1,"a\nb"\n' * 20, PAIRS),
    "captions": ("a.parquet", parquet({"url": URLS, "text": [[text, "again"] for text in TEXTS]}, 3), PAIRS),
    "pictures": ("a.parquet", parquet({"jpg": [jpeg(n) for n in range(30)], "text": TEXTS}, 3), PAIRS),
    "no column": ("a.parquet", parquet({"link": URLS, "text": TEXTS}, 3), PAIRS),
    "old macintosh": ("a.txt", "\r".join(URLS).encode(), PAGES),
    "line ends of two sorts": (
        "a.txt",
        b"".join(f"{url}\n".encode() for url in URLS) + b"http://h/a\rhttp://h/b\n" * 9,
        PAGES,
    ),
    "utf-16": ("a.jsonl", b"".join(lines(20)).decode().encode("utf-16"), MMC4),
}


def read_whole(folder: Path, name: str, data: bytes, source: str) -> tuple[RunContext, tuple[str, ...]]:
    context = make(folder, name, data, source, 10**9)
    return context, ingest_file(context, only_file(context)).partitions


@pytest.mark.parametrize("range_bytes", [13, 100, 350])
@pytest.mark.parametrize("case", CUT)
def test_ranges_give_the_partitions_that_reading_whole_does(tmp_path: Path, case: str, range_bytes: int) -> None:
    whole, partitions = read_whole(tmp_path, *CUT[case])
    context = make(tmp_path, *CUT[case], range_bytes)
    done = Runner(context, seed=range_bytes).run()
    assert done.reading.partitions == partitions
    assert content(context, partitions) == content(whole, partitions)
    assert done.handed_on == list(partitions)
    assert done.num_expected == len(done.reports)
    assert f"{only_file(context).name} range 1" in done.kinds
    assert done.kinds.count(only_file(context).name) == 2, "the first task and the last"


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("case", TURN_OUT_OTHERWISE)
def test_a_file_that_is_not_as_counted_is_read_whole(tmp_path: Path, case: str, seed: int) -> None:
    whole, partitions = read_whole(tmp_path, *TURN_OUT_OTHERWISE[case])
    context = make(tmp_path, *TURN_OUT_OTHERWISE[case], 100)
    done = Runner(context, seed=seed).run()
    assert done.reading.partitions == partitions
    assert content(context, partitions) == content(whole, partitions)
    assert done.handed_on == list(partitions)
    assert done.num_expected == len(done.reports)
    assert sum(report.counters.get("not_as_counted", 0) for report in done.reports) >= 1


@pytest.mark.parametrize("case", WHOLE)
def test_what_cannot_be_cut_is_read_by_one_task_and_flows_on(tmp_path: Path, case: str) -> None:
    whole, partitions = read_whole(tmp_path, *WHOLE[case])
    context = make(tmp_path, *WHOLE[case], 100)
    done = Runner(context).run()
    assert done.kinds == [only_file(context).name]
    assert done.handed_on == list(done.reading.partitions) == list(partitions)
    assert content(context, partitions) == content(whole, partitions)
    assert set(done.began_within) == {only_file(context).name}, "handed on while the file was read"


def test_a_partition_goes_on_while_its_file_is_read_and_ranges_behind_wait(tmp_path: Path) -> None:
    context = make(tmp_path, *CUT["jsonl"], 700)
    done = Runner(context, seed=1).run()
    assert done.began_within[0].endswith("range 0")
    assert done.handed_on == sorted(done.handed_on)


def test_no_more_ranges_are_read_ahead_than_allowed(tmp_path: Path) -> None:
    context = make(tmp_path, *CUT["parquet"], 100)
    runner = Runner(context, num_ahead=2).run(stop_after=1)
    assert [task.partition for task in runner.ready] == ["s-00000 range 0", "s-00000 range 1"]


@pytest.mark.parametrize("limit", [1, 9, 99])
def test_a_limit_holds_for_a_large_file(tmp_path: Path, limit: int) -> None:
    context = make(tmp_path, *CUT["jsonl"], 100, limit=limit)
    done = Runner(context).run()
    assert sum(context.folder.read(DOCUMENTS, name).num_rows for name in done.handed_on) == min(limit, 23)


@pytest.mark.parametrize("stop_after", [2, 5, 9])
def test_what_is_read_is_not_read_again_after_a_kill(tmp_path: Path, stop_after: int) -> None:
    whole, partitions = read_whole(tmp_path, *CUT["jsonl"])
    context = make(tmp_path, *CUT["jsonl"], 300)
    killed = Runner(context, seed=2).run(stop_after=stop_after)
    first = killed.handed_on[0] if killed.handed_on else None
    before = None if first is None else Path(context.folder.path(DOCUMENTS, first)).stat().st_mtime_ns
    again = Runner(context, seed=3).run()
    assert {report.partition for report in again.reports if report.skipped} >= set(killed.kinds[1:])
    assert first is None or Path(context.folder.path(DOCUMENTS, first)).stat().st_mtime_ns == before
    assert again.handed_on == list(partitions)
    assert content(context, partitions) == content(whole, partitions)
    third = Runner(context).run()
    assert (third.kinds, third.handed_on) == (["s-00000"], list(partitions))


def test_a_partition_of_another_beginning_is_written_anew(tmp_path: Path) -> None:
    """As a killed run leaves it whose count was wrong."""
    whole, partitions = read_whole(tmp_path, *CUT["jsonl"])
    context = make(tmp_path, *CUT["jsonl"], 10**9)
    for table in TABLES:
        rows = context.folder.read(table, partitions[0])
        stamp = context.folder.stamp(table, partitions[1])
        assert stamp is not None
        context.folder.write(table, partitions[1], rows=rows, made_from=stamp.fingerprint, note="elsewhere")
    Path(context.folder.file("ingest", "files", "s-00000.json")).unlink()
    Runner(context).run()
    assert content(context, partitions) == content(whole, partitions)


def test_a_file_that_changes_between_ranges_is_named(tmp_path: Path) -> None:
    context = make(tmp_path, *CUT["jsonl"], 300)
    runner = Runner(context).run(stop_after=1)
    with Path(only_file(context).path).open("ab") as file:
        file.write(b"{}\n")
    with pytest.raises(CurateError, match=r"^a\.jsonl: changed while it was read; run the same recipe again"):
        runner.call(runner.ready[0])


def test_the_driver_is_told_of_partitions_while_the_file_is_read(client: Client, tmp_path: Path) -> None:
    context = make(tmp_path, *CUT["parquet"], 100)
    heard: list[tuple[str, bool]] = []

    def hand_on(partition: str) -> list[Task]:
        heard.append((partition, bool(reading.partitions)))
        return [Task(stage="echo", partition=partition, call=echo, args=(partition,))]

    reading = FileReading(context, only_file(context), hand_on=hand_on, expect=lambda _: None, num_ahead=6)
    reports = list(run_tasks(client, [reading.begin()], window=6))
    assert [partition for partition, _ in heard] == list(reading.partitions)
    assert not any(is_over for _, is_over in heard)
    assert {report.partition for report in reports if report.stage == "echo"} == set(reading.partitions)
