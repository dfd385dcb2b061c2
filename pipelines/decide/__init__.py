"""From measures to verdicts, matches and the pool to blend: rules, duplicates, admission; start at ``decided.py``."""
