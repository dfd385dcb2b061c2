"""Stands for the trainer's counter, which takes seconds to import: rows are counted by leaving a file."""

import json
import sys
from pathlib import Path

ROWS = 30
BLOCK = 10


def main(stage: str, *options: str) -> None:
    place = Path(stage).parent
    if "--only" in options:
        number, first, stop = map(int, options[-1].split(":"))
        for row in range(first, stop, BLOCK):
            if number == 1 and Path(stage).read_text(encoding="utf-8") == "broken":
                sys.exit(f"error: row {row} of set {number}")
            (place / f"{number}.{row}").write_text(" ".join(options), encoding="utf-8")
        return
    for number in range(2):
        rows = [row for row in range(0, ROWS, BLOCK) if not (place / f"{number}.{row}").exists()]
        sys.stdout.write(json.dumps({"folder": str(place), "rows": [[row, row + BLOCK] for row in rows]}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
