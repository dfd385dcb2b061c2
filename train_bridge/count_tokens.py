"""Command line: ``python -m train_bridge.count_tokens STAGE.yaml``, token counts beside the shard sets of a stage.

A run counts what it does not find, on its first rank; on a large corpus that is better done before, on a machine of
many processors. Runs with the same tokenizer and form of documents then find the counts, whatever their folder.

Several machines count one set in three steps, which ``curate count-tokens --scheduler`` takes: ``--list`` says what is
to be counted, each ``--only SET:FIRST:STOP`` counts a part of it, and without either all parts are put together.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from transformers.utils import logging as transformers_logging

from curate.contract.errors import CurateError
from shards.storage import is_local, open_folder
from train_bridge.config import StageConfig
from train_bridge.data.count_summary import counts_path
from train_bridge.data.index_summary import summarise_index
from train_bridge.data.kept import BESIDE, put_beside, remove_beside
from train_bridge.data.length_parts import FILE_ROWS, PART
from train_bridge.data.lengths import count_lengths, count_part, missing_rows
from train_bridge.data.progress import progress_of
from train_bridge.data.shard_files import check_shard_files
from train_bridge.data.spec import text_form
from train_bridge.failures import LIBRARY_ERRORS, tell_failure
from train_bridge.model.processor import build_processor
from train_bridge.stage_file import load_stage
from train_bridge.tokens.encoder import TextEncoder


def main(arguments: Sequence[str]) -> int:
    """Count.

    Returns:
        0 done, 1 failed, 2 wrong usage.
    """
    parser = argparse.ArgumentParser(prog="train_bridge.count_tokens", description="Count the tokens of shard sets.")
    parser.add_argument("stage", metavar="STAGE.yaml", help="stage file: its tokenizer, its shards")
    parser.add_argument("--set", action="append", default=[], metavar="A.B=VALUE", help="override; repeatable")
    parser.add_argument("--processes", type=int, metavar="N", help="that count; all processors by default")
    parser.add_argument("--list", action="store_true", help="print what is to be counted, a line of JSON per shard set")
    parser.add_argument("--only", metavar="SET:FIRST:STOP", help="count these rows of the set of that number, from 0")
    parser.add_argument(
        "--block-rows", type=int, default=FILE_ROWS, metavar="N", help="rows that are counted at a time"
    )
    parser.add_argument("--debug", action="store_true", help="show where an error was raised")
    options = parser.parse_args(arguments)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # processes count, not threads
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        config = load_stage(options.stage, overrides=tuple(options.set))
        processor = build_processor(config)
        encoder = TextEncoder(
            processor.tokenizer, form=text_form(config.data, processor), image_mark=processor.image_token
        )
        sets = [_CountedSet(folder, config, encoder, options.block_rows) for folder in config.data.shards]
        if options.list:
            for one in sets:
                sys.stdout.write(json.dumps({"folder": one.folder, "rows": one.missing_rows()}) + "\n")
        elif options.only is not None:
            number, first, stop = map(int, options.only.split(":"))
            sets[number].count_part((first, stop))
        else:
            for one in sets:
                path = one.count(num_processes=options.processes)
                sys.stdout.write(f"{one.folder}: counted, in {path}\n")
    except (CurateError, *LIBRARY_ERRORS) as error:
        return tell_failure(error, debug=options.debug)
    return 0


class _CountedSet:
    """One shard set, and where its counts are kept: beside it, or first in the cache of a run where that is remote."""

    def __init__(self, folder: str, config: StageConfig, encoder: TextEncoder, block_rows: int) -> None:
        self.folder, self._encoder, self._block_rows = folder, encoder, block_rows
        file_system, root = open_folder(folder)
        self._is_local = is_local(file_system)
        self._cache_dir = f"{root}/{BESIDE}" if self._is_local else config.cache_dir

    def missing_rows(self) -> list[tuple[int, int]]:
        """Return first row and stop of each block that is to be counted; the index's summary is left beside the set.

        Raises:
            ShardError: The folder is no finished shard set.
        """
        self._check_files()
        rows = missing_rows(self.folder, encoder=self._encoder, cache_dir=self._cache_dir, block_rows=self._block_rows)
        self._put_beside(self._summaries())
        return [(row, row + self._block_rows) for row in rows]

    def count_part(self, rows: tuple[int, int]) -> None:
        """Count some blocks and leave them beside the set."""
        parts = count_part(
            self.folder, rows, encoder=self._encoder, cache_dir=self._cache_dir, block_rows=self._block_rows
        )
        self._put_beside(parts)

    def count(self, *, num_processes: int | None) -> str:
        """Count what is not counted yet, keep all beside the set and return where it is.

        Args:
            num_processes: See ``count_lengths``.

        Raises:
            ShardError: The folder is no finished shard set.
            OSError: Nothing can be written beside it.
        """
        self._check_files()
        path = count_lengths(
            self.folder,
            encoder=self._encoder,
            cache_dir=self._cache_dir,
            num_processes=num_processes,
            block_rows=self._block_rows,
            tell=progress_of(self.folder),
        )
        self._put_beside([Path(path), Path(counts_path(path)), *self._summaries()])
        if not self._is_local:
            remove_beside(self.folder, f"{Path(path).name}{PART}")
        return f"{self.folder.rstrip('/')}/{BESIDE}/{Path(path).name}"

    def _check_files(self) -> None:
        check_shard_files(self.folder, summarise_index(self.folder, cache_dir=self._cache_dir))

    def _summaries(self) -> list[Path]:
        return list(Path(self._cache_dir).glob("index-*.json"))

    def _put_beside(self, paths: list[Path]) -> None:
        if not self._is_local:
            put_beside(self.folder, paths)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
