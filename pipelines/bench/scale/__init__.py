"""Deciding, planning, writing, accounting and verifying a drawn corpus of any size; start at ``measure.py``."""
