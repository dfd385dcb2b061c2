"""Who does not want to be fetched or trained on: robots.txt, TDMRep, headers; start at ``headers.py``."""
