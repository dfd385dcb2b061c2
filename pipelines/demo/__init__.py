"""A drawn web with known truth, served on loopback, and the whole road over it; start at ``run.py``."""
