"""The folder and the tables of a run, and what every stage is given; start at ``context.py``."""
