"""Path patterns of robots.txt (RFC 9309, section 2.2.2), which TDMRep and Content-Usage share."""

import functools
import re


def matches_path(pattern: str, path: str) -> bool:
    """Return whether a pattern matches the beginning of a path.

    Args:
        pattern: ``*`` stands for any characters, ``$`` at the end for the path's end; empty matches everything.
        path: With its query, percent-encoded.
    """
    return _compile(pattern).match(path) is not None


@functools.lru_cache(4_096)
def _compile(pattern: str) -> re.Pattern[str]:
    is_anchored = pattern.endswith("$")
    pieces = re.sub(r"\*+", "*", pattern.removesuffix("$")).split("*")
    # Each star takes the shortest text up to its next piece and never gives it back: linear, whatever the pattern.
    first, *rest = (re.escape(piece) for piece in pieces)
    middle = "".join(f"(?>.*?{piece})" for piece in (rest[:-1] if is_anchored else rest))
    end = f".*{rest[-1]}\\Z" if is_anchored and rest else ("\\Z" if is_anchored else "")
    return re.compile(first + middle + end, re.DOTALL)
