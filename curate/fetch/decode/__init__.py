"""Bytes to a checked, stored image, with no network in it; start at ``decode.py``."""
