"""What a person is told when a run fails, and the exit code."""

import os
import sys
import traceback

from curate.contract.errors import BlendError, CurateError, RecipeError

EXIT_FAILED, EXIT_USAGE = 1, 2
LIBRARY_ERRORS = (ValueError, TypeError, OSError, KeyError)
"""What libraries raise at settings, folders and weights that they cannot use; others are faults of the program."""


def one_line(error: BaseException) -> str:
    """Return an error in one line; where its text alone would say little, with its type."""
    text = " ".join(str(error).split()) or "no more is known"
    return text if isinstance(error, CurateError | OSError) else f"{type(error).__name__}: {text}"


def tell_failure(error: Exception, *, debug: bool = False) -> int:
    """Write an error to stderr, at once and on every rank, because a rank may be the only one that has it.

    Args:
        error: What was raised.
        debug: Show where, also for errors that need no such thing.

    Returns:
        The exit code: 2 for a fault of the stage file, else 1.
    """
    is_expected = isinstance(error, (CurateError, *LIBRARY_ERRORS))
    if debug or not is_expected:
        traceback.print_exception(error)
    hint = "" if debug or not is_expected or isinstance(error, CurateError) else " (--debug shows where)"
    write_error(f"{error if isinstance(error, CurateError) else one_line(error)}{hint}")
    return EXIT_USAGE if isinstance(error, RecipeError | BlendError) else EXIT_FAILED


def write_error(text: str) -> None:
    """Write a line that begins with the rank, if there are several."""
    rank = os.environ.get("RANK", "0")
    sys.stderr.write(f"error: {text}\n" if rank == "0" else f"error on rank {rank}: {text}\n")
    sys.stderr.flush()
