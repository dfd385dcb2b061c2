"""Which samples share a sequence, as a pure function of counts and a seed: arithmetic alone; start at ``plan.py``."""
