"""Rows of any file, whatever holds them: lines, JSON lines, CSV, Parquet, compressed or not; start at ``rows.py``."""
