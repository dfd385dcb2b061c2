"""Questions with known answers of shard sets, asked of a model with and without shots; start at ``run.py``."""
