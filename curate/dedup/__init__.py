"""Copies of images: proposed, compared, and the first in input order stays; start at ``settle.py``."""
