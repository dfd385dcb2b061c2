"""Tasks on a Dask cluster: the one package that imports dask; start at ``loop.py``."""
