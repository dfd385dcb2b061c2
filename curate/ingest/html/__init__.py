"""A page's items: its main text and pictures in reading order; start at ``page.py``."""
