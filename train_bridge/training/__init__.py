"""A stage from its first step to its exported model: loop, step, schedule, checkpoints; start at ``loop.py``."""
