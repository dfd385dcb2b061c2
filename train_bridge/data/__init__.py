"""From shard sets to batches: counts, selection, reading, collating; start at ``dataset.py``."""
