"""Trains and measures the model in ``curate/measure/tiny_clip`` on the demo world's scenes; start at ``train.py``."""
