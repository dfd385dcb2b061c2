"""Says how far counting is: it may take hours."""

import sys
import time
from collections.abc import Callable


def progress_of(folder: str) -> Callable[[int, int], None]:
    """Return what ``count_lengths`` may tell of a set after each block."""
    start_s = time.monotonic()

    def tell(num_counted: int, num_samples: int) -> None:
        rate = num_counted / max(1e-9, time.monotonic() - start_s)
        sys.stderr.write(f"counting tokens of {folder}: {num_counted:,} of {num_samples:,} samples, {rate:,.0f}/s\n")
        sys.stderr.flush()

    return tell
