"""From the pool to shards: the blend's plan, the spool, the writer; start at ``shard_set.py``."""
