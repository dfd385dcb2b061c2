"""Columns about text, pixels and their match; nothing is dropped here. Start at ``text.py`` and ``clip.py``."""
