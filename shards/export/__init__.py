"""Shard sets in other tools' formats, one file per format; ``formats.py`` lists them."""
