"""The ledger, and the run as one HTML page; start at ``collect.py`` and ``page.py``."""
