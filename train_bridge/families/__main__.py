"""Command line: ``python -m train_bridge.families [--write FILE]``, what holds for which family of models."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from transformers.utils import logging as transformers_logging

from curate.contract.errors import CurateError
from train_bridge.failures import tell_failure
from train_bridge.families.table import replace_tables, tables
from train_bridge.training.ranks import joined_ranks


def main(arguments: Sequence[str]) -> int:
    """Measure the families; print the tables, or write them into a document.

    Returns:
        0 done, 1 failed.
    """
    parser = argparse.ArgumentParser(prog="train_bridge.families", description="Measure families of models.")
    parser.add_argument("--write", type=Path, metavar="FILE", help="renew the tables in this document")
    options = parser.parse_args(arguments)
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        text = None if options.write is None else options.write.read_text(encoding="utf-8")
        if text is not None:
            replace_tables(text, "")  # says now if there is no place for them
        with joined_ranks() as ranks:
            found = tables(ranks)
        if text is None:
            sys.stdout.write(found + "\n")
        else:
            options.write.write_text(replace_tables(text, found), encoding="utf-8")
    except (CurateError, OSError) as error:
        return tell_failure(error, debug=False)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
