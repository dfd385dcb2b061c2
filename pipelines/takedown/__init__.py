"""Taking down what is in a run already: bytes, verdicts, shards; start at ``remove.py``."""
