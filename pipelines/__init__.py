"""The road from sources to shards on a Dask cluster, and the command line; start at ``road.py``, then ``build.py``."""
