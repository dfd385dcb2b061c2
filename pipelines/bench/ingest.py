"""Reading sources: bytes per second of one core, beside the bare parsing of the same bytes and beside extractors."""

import json
import random
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter
from selectolax.lexbor import LexborHTMLParser

from curate.contract.errors import CurateError
from curate.ingest.config import Source
from curate.ingest.html.page import read_page
from curate.ingest.readers import read_file
from pipelines.bench import extract_peer
from pipelines.bench.peer_env import peer_python
from pipelines.bench.row import BenchRow, compare

EXTRACTORS = {"trafilatura": "trafilatura==2.3.0", "resiliparse": "resiliparse==1.1.0"}
NUM_ROWS, NUM_PAGES = 40_000, 60
MIN_SECONDS = 1.0
BYTES_PER_MB, UNIT = 1e6, "MB/s"
TIMEOUT_S = 600


def bench_ingest() -> list[BenchRow]:
    """Write files of each kind, and measure."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_files(folder, num_rows=NUM_ROWS)
        write_pages(folder / "pages", num_pages=NUM_PAGES)
        rows = [
            _row("pairs jsonl", folder / "pairs.jsonl", "pairs", "json.loads", _parse_json),
            _row("pairs tsv", folder / "pairs.tsv", "pairs", "str.split", _parse_tsv),
            _row("pairs parquet", folder / "pairs.parquet", "pairs", f"pyarrow {pa.__version__}", _parse_parquet),
            _row("mmc4 jsonl", folder / "mmc4.jsonl", "mmc4", "json.loads", _parse_json),
            _row("instructions jsonl", folder / "chat.jsonl", "instructions", "json.loads", _parse_json),
        ]
        return [*rows, *_page_rows(folder / "pages")]


def write_files(folder: Path, *, num_rows: int) -> None:
    """Write pairs in three formats, MMC4 records and conversations."""
    rng = random.Random(0)
    texts = [" ".join(rng.choices(_WORDS, k=20)) for _ in range(num_rows)]
    pairs = [{"url": f"http://host{i % 50}.example/{i}.jpg", "text": text} for i, text in enumerate(texts)]
    _write_lines(folder / "pairs.jsonl", map(json.dumps, pairs))
    _write_lines(folder / "pairs.tsv", ["url\ttext", *(f"{pair['url']}\t{pair['text']}" for pair in pairs)])
    pq.write_table(pa.Table.from_pylist(pairs), folder / "pairs.parquet")
    records = (
        {
            "url": f"http://host.example/{i}",
            "text_list": texts[i : i + 8],
            "image_info": [{"raw_url": f"http://host.example/{i}.jpg", "matched_text_index": 0}],
        }
        for i in range(0, num_rows - 8, 8)
    )
    _write_lines(folder / "mmc4.jsonl", map(json.dumps, records))
    chats = (
        {"messages": [{"role": "user", "content": text}, {"role": "assistant", "content": text}]} for text in texts
    )
    _write_lines(folder / "chat.jsonl", map(json.dumps, chats))


def write_pages(folder: Path, *, num_pages: int) -> None:
    """Write articles of 30 to 90 paragraphs with pictures, between a header, a list of teasers and a footer."""
    folder.mkdir()
    rng = random.Random(0)
    link = '<li><a href="/{0}"><img src="/t{0}.jpg" width=80 height=80>{1}</a></li>'
    for number in range(num_pages):
        words = [" ".join(rng.choices(_WORDS, k=60)) for _ in range(rng.randrange(30, 90))]
        blocks = [
            f"<p>{text}.</p>" + (_figure(f"{number}-{i}", text) if i % 6 == 0 else "") for i, text in enumerate(words)
        ]
        teasers = "".join(link.format(i, words[i % 20][:60]) for i in range(40))
        page = (
            f"<!DOCTYPE html><html><head><title>{words[0][:50]}</title><script>{'var a=1;' * 800}</script></head><body>"
            f"<header><nav><ul>{teasers}</ul></nav></header><main><article><h1>{words[0][:50]}</h1>{''.join(blocks)}"
            f"</article></main><aside><ul>{teasers}</ul></aside><footer>{words[1]}</footer></body></html>"
        )
        (folder / f"{number:03}.html").write_text(page, encoding="utf-8")


_TEXT = "the old stone bridge crosses a river below this town and people walk over it every morning in winter"
_WORDS = tuple(_TEXT.split(" "))


def _figure(name: str, text: str) -> str:
    return f'<figure><img src="/{name}.jpg" alt="{text[:40]}"></figure>'


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _row(case: str, path: Path, source_type: str, peer: str, parse: Callable[[Path], None]) -> BenchRow:
    source: Source = TypeAdapter(Source).validate_python({"name": "bench", "type": source_type, "path": str(path)})

    def read() -> None:
        for _ in read_file(str(path), source=source, label=path.name):
            pass

    size_bytes = path.stat().st_size
    ours = partial(_mb_per_s, read, size_bytes=size_bytes)
    theirs = partial(_mb_per_s, partial(parse, path), size_bytes=size_bytes)
    return compare("ingest", case, unit=UNIT, ours=ours, peer=peer, theirs=theirs)


def _page_rows(folder: Path) -> list[BenchRow]:
    bodies = [path.read_bytes() for path in sorted(folder.glob("*.html"))]
    size_bytes = sum(map(len, bodies))

    def read() -> None:
        for body in bodies:
            read_page(body, url="http://host.example/", charset="utf-8")

    def parse() -> None:
        for body in bodies:
            LexborHTMLParser(body)

    ours = partial(_mb_per_s, read, size_bytes=size_bytes)
    bare = partial(_mb_per_s, parse, size_bytes=size_bytes)
    rows = [compare("ingest", "pages", unit=UNIT, ours=ours, peer="selectolax, parsed alone", theirs=bare)]
    for name, requirement in EXTRACTORS.items():
        python = peer_python(name, requirement)
        theirs = None if python is None else partial(_extractor_rate, python, name, folder)
        rows.append(compare("ingest", "pages", unit=UNIT, ours=ours, peer=requirement, theirs=theirs, num_runs=3))
    return rows


def _extractor_rate(python: Path, name: str, folder: Path) -> float:
    command = [str(python), str(Path(extract_peer.__file__)), name, str(folder)]
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=TIMEOUT_S)  # noqa: S603 - our own module
    except subprocess.SubprocessError as error:
        raise CurateError(f"bench ingest: {name}: {error}") from error
    return float(done.stdout.split()[-1]) / BYTES_PER_MB


def _mb_per_s(run: Callable[[], None], *, size_bytes: int) -> float:
    start_s, num_runs = time.process_time(), 0
    while not num_runs or time.process_time() - start_s < MIN_SECONDS:
        run()
        num_runs += 1
    return num_runs * size_bytes / BYTES_PER_MB / (time.process_time() - start_s)


def _parse_json(path: Path) -> None:
    with path.open(encoding="utf-8") as file:
        for line in file:
            json.loads(line)


def _parse_tsv(path: Path) -> None:
    with path.open(encoding="utf-8") as file:
        for line in file:
            line.rstrip("\n").split("\t")


def _parse_parquet(path: Path) -> None:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(1024, use_threads=False):
            batch.to_pylist()
