"""The other backend: img2dataset's downloader behind our limits; start at ``images.py``."""
