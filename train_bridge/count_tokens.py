"""Command line: ``python -m train_bridge.count_tokens STAGE.yaml``, token counts beside the shard sets of a stage.

A run counts what it does not find, on its first rank; on a large corpus that is better done before, on a machine of
many processors. Runs with the same tokenizer and form of documents then find the counts, whatever their folder.
"""

import argparse
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
from train_bridge.data.kept import BESIDE, put_beside
from train_bridge.data.lengths import count_lengths
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
    parser.add_argument("--debug", action="store_true", help="show where an error was raised")
    options = parser.parse_args(arguments)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # processes count, not threads
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        config = load_stage(options.stage, overrides=tuple(options.set))
        processor = build_processor(config)
        encoder = TextEncoder(processor.tokenizer, form=text_form(config.data), image_mark=processor.image_token)
        for folder in config.data.shards:
            path = count_set(folder, config, encoder=encoder, num_processes=options.processes)
            sys.stdout.write(f"{folder}: counted, in {path}\n")
    except (CurateError, *LIBRARY_ERRORS) as error:
        return tell_failure(error, debug=options.debug)
    return 0


def count_set(folder: str, config: StageConfig, *, encoder: TextEncoder, num_processes: int | None = None) -> str:
    """Count one set and keep the counts beside it; return where they are.

    Args:
        folder: Of the set.
        config: Of the stage, which says where a remote set is counted before its counts are put beside it.
        encoder: Of its text.
        num_processes: See ``count_lengths``.

    Raises:
        ShardError: The folder is no finished shard set.
        OSError: Nothing can be written beside it.
    """
    file_system, root = open_folder(folder)
    own = is_local(file_system)
    cache_dir = f"{root}/{BESIDE}" if own else config.cache_dir
    check_shard_files(folder, summarise_index(folder, cache_dir=cache_dir))
    path = count_lengths(
        folder, encoder=encoder, cache_dir=cache_dir, num_processes=num_processes, tell=progress_of(folder)
    )
    if not own:
        put_beside(folder, [Path(path), Path(counts_path(path)), *Path(cache_dir).glob("index-*.json")])
    return f"{folder.rstrip('/')}/{BESIDE}/{Path(path).name}"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
