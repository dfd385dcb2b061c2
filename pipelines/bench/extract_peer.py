"""Measures another extractor in its own environment: ``PYTHON extract_peer.py NAME FOLDER``; prints bytes per second.

It stands alone: nothing of this project is installed there.
"""

import sys
import time
from pathlib import Path

MIN_SECONDS = 2.0


def main() -> None:
    """Extract the text of all pages again and again."""
    name, folder = sys.argv[1:3]
    pages = [path.read_text(encoding="utf-8") for path in sorted(Path(folder).glob("*.html"))]
    num_bytes = sum(len(page.encode()) for page in pages)
    if name == "trafilatura":
        from trafilatura import extract  # type: ignore[import-not-found]  # noqa: PLC0415 - in its own environment

        def read(page: str) -> object:
            return extract(page, include_images=True)
    else:
        from resiliparse.extract.html2text import extract_plain_text  # type: ignore[import-not-found]  # noqa: PLC0415

        def read(page: str) -> object:
            return extract_plain_text(page, main_content=True)

    read(pages[0])
    start_s, num_read = time.process_time(), 0
    while time.process_time() - start_s < MIN_SECONDS:
        for page in pages:
            read(page)
        num_read += num_bytes
    sys.stdout.write(f"{num_read / (time.process_time() - start_s)}\n")


if __name__ == "__main__":
    main()
