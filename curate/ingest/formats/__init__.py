"""One source format per file: what a row means and which documents come of it; each is listed in ``readers.py``."""
