"""URLs to bytes and a status each, politely and safely; start at ``images.py``, then ``client.py``."""
