"""Files of any source to documents and items, faults counted; start at ``readers.py``."""
